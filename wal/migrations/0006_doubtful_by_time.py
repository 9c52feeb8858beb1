from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('wal', '0005_lists'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('status', 'duplicate'), models.Q(('last_error', ''), _negated=True)), fields=['settled_at'], name='wal_doubtful'),
        ),
    ]
