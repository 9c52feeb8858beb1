"""Which database holds what: the log and the watch on their own, the rest on the main one."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

#: The watch tells that the main database is away, and may not need it for that.
_ON_THE_LOGS = frozenset({"wal", "watch"})


class LogRouter:
    """Sends the log and the watch to the database `wal`, and nothing else there."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return _database_of(model)

    db_for_write = db_for_read

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        # No foreign key can cross databases.
        return _database_of(one) == _database_of(other)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == "wal") == (app_label in _ON_THE_LOGS)


def _database_of(model: type[Model] | Model) -> str:
    return "wal" if model._meta.app_label in _ON_THE_LOGS else "default"
