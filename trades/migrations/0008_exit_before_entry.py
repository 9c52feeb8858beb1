from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trades', '0007_month_sums'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='trade',
            index=models.Index(condition=models.Q(('exit_time__lt', models.F('entry_time'))), fields=['-id'], name='trades_exit_before_entry'),
        ),
    ]
