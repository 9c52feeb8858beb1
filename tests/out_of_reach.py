"""Databases that fail whoever asks them, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from django.db import connections

from tests.chaos.proxy import Proxy


def main_database_away() -> AbstractContextManager[None]:
    """Let this process find no main database where it is said to be."""
    return main_database_at(NAME=f"{connections['default'].settings_dict['NAME']}_elsewhere")


@contextmanager
def main_database_at(**elsewhere: str) -> Iterator[None]:
    """Have this process look for the main database there, by Django's names for such settings."""
    before = connections["default"].settings_dict
    here = {name: before[name] for name in elsewhere}
    _look_for(elsewhere)
    try:
        yield
    finally:
        _look_for(here)


def _look_for(told: dict[str, str]) -> None:
    connection: Any = connections["default"]
    connection.close()
    connection.close_pool()
    connection.settings_dict.update(told)


@contextmanager
def far_away(round_trip: float = 0.0) -> Iterator[Proxy]:
    """Have this process's way to the main database, there and back, take so many seconds more."""
    its = connections["default"].settings_dict
    proxy = Proxy(Path(its["HOST"]) / f".s.PGSQL.{its['PORT'] or 5432}", delay=round_trip / 2)
    try:
        with main_database_at(HOST="127.0.0.1", PORT=str(proxy.port)):
            yield proxy
    finally:
        proxy.close()


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
