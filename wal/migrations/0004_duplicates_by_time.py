from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('wal', '0003_incremental_vacuum'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('status', 'duplicate')), fields=['received_at'], name='wal_duplicates'),
        ),
    ]
