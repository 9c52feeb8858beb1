"""Which receivers a notice is done with; of those that wait, whoever does not want it had it."""

from django.db import migrations, models

from watch.receivers import receivers


def fill_in(apps, schema_editor):
    notices = apps.get_model("watch", "Notice").objects.using(schema_editor.connection.alias)
    waiting = list(notices.filter(done_at=None))
    # Who is told is asked only where somebody waits.
    keys = [receiver.key for receiver in receivers()] if waiting else []
    for notice in waiting:
        notice.done_with = [key for key in keys if key not in notice.undelivered]
        notice.save()


class Migration(migrations.Migration):
    dependencies = [("watch", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="notice",
            name="done_with",
            field=models.JSONField(default=list),
        ),
        migrations.RunPython(fill_in, migrations.RunPython.noop, elidable=True),
    ]
