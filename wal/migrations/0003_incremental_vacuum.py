"""Make SQLite's file able to give free pages back a few at a time, as pruning does."""

from contextlib import suppress

from django.db import OperationalError, migrations


def set_up(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "sqlite":
        return
    # Here and not on every connection: the pragma is a write, outside the writer's turn.
    # It takes effect by a VACUUM; where there is no room for one, free pages are re-used.
    with connection.cursor() as cursor, suppress(OperationalError):
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
        cursor.execute("VACUUM")


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('wal', '0002_refused_alerts'),
    ]

    operations = [
        migrations.RunPython(set_up, migrations.RunPython.noop),
    ]
