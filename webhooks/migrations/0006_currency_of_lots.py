"""What entry alerts told of their lots' currency, from before the lots kept it."""

from django.db import migrations

from faults import InvalidJSON, InvalidPayload
from webhooks.payload import parse


def fill_in(apps, schema_editor):
    Lot = apps.get_model("positions", "Lot")
    told = Lot.objects.filter(entry_webhook_log__payload__icontains="currency").order_by("pk")
    for pk, payload in told.values_list("pk", "entry_webhook_log__payload").iterator():
        try:
            currency = parse(payload.encode()).currency
        except (InvalidJSON, InvalidPayload):
            continue  # It was read when it came, and damaged since: reconciliation finds that.
        if currency:
            Lot.objects.filter(pk=pk).update(currency=currency)


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0005_one_index_of_keys"), ("positions", "0004_lots_currency")]
    operations = [migrations.RunPython(fill_in, migrations.RunPython.noop, elidable=True)]
