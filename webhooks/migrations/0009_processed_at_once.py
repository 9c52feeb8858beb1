from django.db import migrations, models

_TABLE = "ALTER TABLE webhook_logs"


class Migration(migrations.Migration):
    # The table is read while alerts go on being written to it; then it is locked for a moment
    # only, since PostgreSQL takes the constraint's word. What was cut off is done again.
    atomic = False

    dependencies = [
        ('webhooks', '0008_counted_by_index'),
    ]

    operations = [
        migrations.RunSQL(
            [
                f"{_TABLE} DROP CONSTRAINT IF EXISTS log_processed",
                f"{_TABLE} ADD CONSTRAINT log_processed CHECK (processed_at IS NOT NULL) NOT VALID",
                f"{_TABLE} VALIDATE CONSTRAINT log_processed",
            ],
            f"{_TABLE} DROP CONSTRAINT IF EXISTS log_processed",
        ),
        migrations.AlterField(
            model_name='webhooklog',
            name='processed_at',
            field=models.DateTimeField(help_text='UTC; when its effect, or its end, was written.'),
        ),
        migrations.RunSQL(f"{_TABLE} DROP CONSTRAINT log_processed", migrations.RunSQL.noop),
    ]
