from django.db import migrations, models


class Migration(migrations.Migration):
    """Keys are random, so each index of them is written to at another place by every alert."""

    dependencies = [
        ("webhooks", "0004_via_mail"),
    ]

    operations = [
        migrations.AlterField(
            model_name="webhooklog",
            name="idempotency_key",
            field=models.CharField(db_collation="C", max_length=300, unique=True),
        ),
        # Django makes it for the beginnings of keys in any collation; in this one the index
        # of the unique constraint finds them.
        migrations.RunSQL(
            "DROP INDEX IF EXISTS webhook_logs_idempotency_key_5a330a4a_like",
            "CREATE INDEX IF NOT EXISTS webhook_logs_idempotency_key_5a330a4a_like"
            " ON webhook_logs (idempotency_key varchar_pattern_ops)",
        ),
    ]
