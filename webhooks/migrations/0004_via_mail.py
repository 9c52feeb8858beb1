from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('webhooks', '0003_lists'),
    ]

    operations = [
        migrations.AddField(
            model_name='webhooklog',
            name='via_mail',
            field=models.BooleanField(default=False, help_text='It came by mail, and its webhook had not come by then.'),
        ),
        migrations.AddIndex(
            model_name='webhooklog',
            index=models.Index(condition=models.Q(('via_mail', True)), fields=['-id'], name='logs_via_mail'),
        ),
    ]
