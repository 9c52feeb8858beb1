from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trades', '0003_imports'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='trade',
            index=models.Index(fields=['strategy', 'symbol', 'exit_time'], name='trades_of_book_by_exit'),
        ),
    ]
