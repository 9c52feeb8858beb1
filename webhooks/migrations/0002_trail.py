from django.conf import settings
from django.db import migrations, models

from webhooks import trail_hash


def chain_what_is_there(apps, schema_editor):
    """Rows from before the trail are chained as they stand, in the order of their ids."""
    WebhookLog = apps.get_model("webhooks", "WebhookLog")
    ends = {}
    for log in WebhookLog.objects.order_by("id").iterator(chunk_size=1000):
        log.chain = "-" if log.status == "rejected" else f"{log.strategy}\x1f{log.symbol}"
        place, previous = ends.get(log.chain, (0, trail_hash.BEGINNING))
        log.place = place + 1
        key = settings.TRAIL_KEY
        log.link = trail_hash.link(key, log.chain, log.place, previous, vars(log))
        log.seal = trail_hash.seal(key, log.link, vars(log))
        ends[log.chain] = log.place, log.link
        log.save(update_fields=["chain", "place", "link", "seal"])


class Migration(migrations.Migration):

    dependencies = [
        ("webhooks", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="TrailAnchor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("chain", models.TextField(unique=True)),
                ("place", models.BigIntegerField()),
                ("link", models.CharField(max_length=64)),
                ("seal", models.CharField(max_length=64)),
                ("pruned_at", models.DateTimeField(auto_now=True, help_text="UTC.")),
            ],
            options={"db_table": "trail_anchors"},
        ),
        migrations.AddField("webhooklog", "chain", models.TextField(editable=False, null=True)),
        migrations.AddField("webhooklog", "place", models.BigIntegerField(editable=False, null=True)),
        migrations.AddField("webhooklog", "link", models.CharField(editable=False, max_length=64, null=True)),
        migrations.AddField("webhooklog", "seal", models.CharField(editable=False, max_length=64, null=True)),
        migrations.RunPython(chain_what_is_there, migrations.RunPython.noop),
        # The rows' foreign keys are checked before the table is altered again.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField("webhooklog", "chain", models.TextField(editable=False)),
        migrations.AlterField("webhooklog", "place", models.BigIntegerField(editable=False)),
        migrations.AlterField("webhooklog", "link", models.CharField(editable=False, max_length=64)),
        migrations.AlterField("webhooklog", "seal", models.CharField(editable=False, max_length=64)),
        migrations.AddConstraint(
            "webhooklog",
            models.UniqueConstraint(fields=("chain", "place"), name="log_place_in_chain"),
        ),
    ]
