from django.db import migrations

# PostgreSQL takes these names for abbreviations, and knows no summer time by them.
REGIONS = {
    "CET": "Europe/Brussels",
    "EET": "Europe/Athens",
    "MET": "Europe/Brussels",
    "WET": "Europe/Lisbon",
}


def name_the_region(apps, schema_editor):
    chosen = apps.get_model("tradelog", "TimeZonePreference").objects
    for abbreviation, region in REGIONS.items():
        chosen.filter(name=abbreviation).update(name=region)


class Migration(migrations.Migration):

    dependencies = [("tradelog", "0002_api_tokens")]

    # Backwards, nobody misses the abbreviation.
    operations = [migrations.RunPython(name_the_region, migrations.RunPython.noop)]
