"""Which database holds what: the log on its own, everything else on the main one."""

from __future__ import annotations

from typing import Any

from django.db.models import Model


class LogRouter:
    """Sends the app `wal` to the database `wal`, and nothing else there."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return "wal" if model._meta.app_label == "wal" else "default"

    db_for_write = db_for_read

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        # No foreign key can cross databases.
        return (one._meta.app_label == "wal") == (other._meta.app_label == "wal")

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == "wal") == (app_label == "wal")
