"""Putting a backup back: the whole of it is read before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connections
from django.db.migrations.loader import MigrationLoader

from data_folder import InUse, sole_server
from tradelog import database_copies
from tradelog.backup_file import Backup, BrokenBackup, file_of, unpack, workshop
from tradelog.database_copies import CannotPutBack, Copied
from tradelog.databases import NAMES
from tradelog.embedded import Cluster
from tradelog.postgres_clients import ClientFailed
from webhooks.since_backup import set_back, settled_since_backup


class CannotRestore(Exception):
    """The message says why, what was changed if anything was, and what to do."""


_SETTINGS: Final = {"wal": "WAL_DATABASE_URL", "default": "DATABASE_URL"}
_VENDORS: Final = {"sqlite": "a SQLite file", "postgresql": "a PostgreSQL"}


def restore(
    path: Path,
    *,
    overwrite: bool = False,
    keep_log: bool = False,
    say: Callable[[str], object] = lambda text: None,
    advance: Callable[[int], object] = lambda number: None,
) -> Backup:
    """Let both databases be what they were when the backup was made, and migrate them.

    With `keep_log` only the main one, for when the log has survived it; what the log has
    settled since the backup waits in it again. Calls `advance` with the number of bytes read
    since. Raises CannotRestore; and what a server that is
    away or a disk that is full leads to, before anything was changed.
    """
    with workshop(settings.TRADELOG_DATA) as folder, _no_server():
        say(f"Reading {path}.")
        # The main one first: its server may yet refuse.
        aliases = ("default",) if keep_log else ("default", "wal")
        backup = _read(path, folder, advance)
        for alias in aliases:
            _check(alias, backup.copies[alias], folder)
        if settings.EMBEDDED_POSTGRES:
            Cluster(settings.TRADELOG_DATA / "postgres").hold()
        if not overwrite:
            _check_empty(aliases)
        for number, alias in enumerate(aliases):
            say(f"Putting back the {NAMES[alias]}.")
            copied = backup.copies[alias]
            try:
                database_copies.put_back(alias, copied, file_of(alias, copied.vendor, folder))
            except (CannotPutBack, ClientFailed, DatabaseError) as error:
                raise CannotRestore(
                    f"The {NAMES[alias]} cannot be put back: {str(error).strip()}\n"
                    + (
                        f"The {NAMES[aliases[0]]} is the backup's already: do not serve from "
                        "the two, but mend what is said here and run this again."
                        if number
                        else "Nothing was changed."
                    )
                ) from error
            if wrong := database_copies.differences(alias, copied):
                raise CannotRestore(f"The {NAMES[alias]} has come back otherwise: {wrong}")
        _migrate()
        if keep_log:
            say("Comparing the write-ahead log with it.")
            say(f"Log entries that are to be applied again: {_set_back():,}.")
    return backup


def _set_back() -> int:
    try:
        entry_ids = settled_since_backup()
        set_back(entry_ids)
    except DatabaseError as error:
        raise CannotRestore(
            "The main database is the backup's, but the write-ahead log cannot be compared with "
            f"it: {str(error).strip()}\nMend that and run `manage.py replay_wal --restored` "
            "before you serve: what came after the backup is marked as applied."
        ) from error
    return len(entry_ids)


def _migrate() -> None:
    for alias in ("default", "wal"):
        try:
            call_command("migrate", database=alias, verbosity=0, interactive=False)
        except DatabaseError as error:
            raise CannotRestore(
                f"The backup is put back, but the {NAMES[alias]} cannot be migrated: "
                f"{str(error).strip()}"
            ) from error


@contextmanager
def _no_server() -> Iterator[None]:
    try:
        with sole_server(settings.TRADELOG_DATA, "being restored"):
            yield
    except InUse as error:
        raise CannotRestore(f"{error} Stop it first; nothing was changed.") from error


def _read(path: Path, folder: Path, advance: Callable[[int], object]) -> Backup:
    try:
        return unpack(path, folder, advance)
    except BrokenBackup as error:
        raise CannotRestore(f"{path} is no whole backup: {error}. Nothing was changed.") from error


def _check(alias: str, copied: Copied, folder: Path) -> None:
    """Raise CannotRestore if this copy cannot become the database."""
    vendor = connections[alias].vendor
    if copied.vendor != vendor:
        raise CannotRestore(
            f"The backup's {NAMES[alias]} is {_VENDORS[copied.vendor]}, and {_SETTINGS[alias]} "
            f"names {_VENDORS[vendor]}. Restore it to its own kind. Nothing was changed."
        )
    _check_age(copied)
    try:
        database_copies.check(copied, file_of(alias, copied.vendor, folder))
    except (CannotPutBack, ClientFailed) as error:
        raise CannotRestore(
            f"The backup's {NAMES[alias]} cannot be read: {error}\nNothing was changed."
        ) from error


def _check_age(copied: Copied) -> None:
    loader = MigrationLoader(None)
    known = {f"{app}.{name}" for app, name in loader.disk_migrations}
    newer = [
        name
        for name in copied.migrations
        if name.partition(".")[0] in loader.migrated_apps and name not in known
    ]
    if newer:
        raise CannotRestore(
            f"The backup was made by a newer tradelog, with the migration {newer[-1]}. "
            "Restore it with that one. Nothing was changed."
        )


def _check_empty(aliases: Sequence[str]) -> None:
    there = [text for alias in aliases if (text := _told_rows(alias))]
    if there:
        raise CannotRestore(
            "There is something to lose:\n"
            + "\n".join(there)
            + "\nMake a backup of it if it is worth one; then --yes overwrites it. "
            "Nothing was changed."
        )


def _told_rows(alias: str) -> str:
    try:
        rows = database_copies.rows(alias, bookkeeping=False)
    except DatabaseError as error:
        if connections[alias].vendor != "sqlite":
            raise
        return f"  the {NAMES[alias]} cannot be read: {error}"
    told = ", ".join(f"{number:,} in {name}" for name, number in rows.items() if number)
    return told and f"  rows of the {NAMES[alias]}: {told}"
