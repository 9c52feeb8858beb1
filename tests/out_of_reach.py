"""Databases that fail whoever asks them, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections


@contextmanager
def main_database_away() -> Iterator[None]:
    """Let this process find no main database where it is said to be."""
    connection = connections["default"]
    name = connection.settings_dict["NAME"]
    _look_for(connection, f"{name}_elsewhere")
    try:
        yield
    finally:
        _look_for(connection, name)


def _look_for(connection: Any, name: str) -> None:
    connection.close()
    connection.close_pool()
    connection.settings_dict["NAME"] = name


@contextmanager
def without_table(alias: str, table: str) -> Iterator[None]:
    """Let a table be missing: any statement about it fails."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_elsewhere")
    try:
        yield
    finally:
        with connections[alias].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table}_elsewhere RENAME TO {table}")
