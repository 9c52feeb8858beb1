"""A database of ours, copied into a file as it is at one moment, and put back from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.db import connections, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from tradelog.postgres_clients import Clients, available, clients_for

#: Sessions are keys to this service: they stay out, and everybody logs in anew.
WITHOUT_ROWS: Final = frozenset({"django_session"})

#: Rows that migrating makes by itself.
BOOKKEEPING: Final = frozenset({"django_migrations", "django_content_type", "auth_permission"})
_MIGRATIONS: Final = "django_migrations"

_TRANSACTION_TIMEOUT: Final = b"SET transaction_timeout = 0;"

#: Seconds a copy may wait for somebody else's transaction before it is put back.
_LOCK_SECONDS: Final = 15


class NothingThere(Exception):
    """The database has no tables of ours."""


class CannotPutBack(Exception):
    """A copy cannot become the database; the message says why."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What is in a copy."""

    #: `sqlite` or `postgresql`.
    vendor: str
    #: The version of the program that reads it: SQLite's, or pg_dump's major one.
    version: str
    #: The server's version, or SQLite's.
    database_version: str
    #: Rows by table.
    rows: dict[str, int]
    #: The migrations it has been through, each `app.name`.
    migrations: list[str]


def tables(alias: str) -> list[str]:
    """The tables of ours that a database has, by name."""
    connection = connections[alias]
    there = set(connection.introspection.table_names())
    ours = {*connection.introspection.django_table_names(), _MIGRATIONS}
    return sorted(there & ours)


def rows(alias: str, *, bookkeeping: bool = True) -> dict[str, int]:
    """How many rows each table of ours has."""
    wanted = [name for name in tables(alias) if bookkeeping or name not in BOOKKEEPING]
    with connections[alias].cursor() as cursor:
        return {name: _count(cursor, name) for name in wanted}


def copy(alias: str, into: Path) -> Copied:
    """Copy a database as it is now into a new file, while others go on writing.

    Raises NothingThere, ClientFailed, and what the database raises.
    """
    connection = connections[alias]
    if connection.vendor == "sqlite":
        with connection.wrap_database_errors:
            return _copy_sqlite(Path(str(connection.settings_dict["NAME"])), into)
    with _one_moment(alias) as snapshot:
        counted = rows(alias)
        if len(counted) < 2:
            raise NothingThere
        # What is dumped is what was counted.
        server: int = connection.pg_version  # type: ignore[attr-defined]
        clients = clients_for(server // 10000, available())
        clients.run(
            "pg_dump",
            *("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"),
            *(f'--table="{name}"' for name in [*counted, *_partitions(alias, list(counted))]),
            *(f'--exclude-table-data="{name}"' for name in WITHOUT_ROWS & counted.keys()),
            f"--file={into}",
            at=alias,
        )
        return Copied(
            "postgresql",
            str(clients.version),
            f"{server // 10000}.{server % 10000}",
            {name: 0 if name in WITHOUT_ROWS else number for name, number in counted.items()},
            sorted(".".join(one) for one in MigrationRecorder(connection).applied_migrations()),
        )


def check(copied: Copied, file: Path) -> None:
    """Raise CannotPutBack or ClientFailed if nobody can read this copy. Changes nothing."""
    if copied.vendor == "sqlite":
        try:
            with closing(sqlite3.connect(file)) as connection:
                found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            found = str(error)
        if found != "ok":
            raise CannotPutBack(f"the copy of the log is damaged: {found}")
    else:
        clients_for(int(copied.version), available()).run("pg_restore", "--list", str(file))


def put_back(alias: str, copied: Copied, file: Path) -> None:
    """Let a copy be the database from now on: all of it, or nothing where it fails.

    Raises CannotPutBack, ClientFailed, and what the database raises.
    """
    connection = connections[alias]
    if copied.vendor == "sqlite":
        connection.close()
        with connection.wrap_database_errors:
            _overwrite_sqlite(file, Path(str(connection.settings_dict["NAME"])))
    else:
        server: int = connection.pg_version  # type: ignore[attr-defined]
        clients = clients_for(max(server // 10000, int(copied.version)), available())
        _overwrite_postgresql(alias, clients, sorted({*tables(alias), *copied.rows}), file)


def differences(alias: str, copied: Copied) -> dict[str, int]:
    """The rows of those tables that have another number of them than the copy."""
    with connections[alias].cursor() as cursor:
        found = {name: _count(cursor, name) for name in copied.rows}
    return {name: number for name, number in found.items() if number != copied.rows[name]}


@contextmanager
def _one_moment(alias: str) -> Iterator[str]:
    """All queries see this moment; yields the name by which pg_dump sees it too."""
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        yield str(cursor.fetchone()[0])


def _partitions(alias: str, tables: list[str]) -> list[str]:
    """The tables that hold the rows of those which are partitioned; pg_dump wants each named."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT part.relname FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid"
            " JOIN pg_class whole ON whole.oid = inhparent"
            " WHERE part.relispartition AND whole.relname = ANY(%s)",
            [tables],
        )
        return sorted(name for (name,) in cursor.fetchall())


def _count(cursor: Any, table: str) -> int:
    cursor.execute(f'SELECT count(*) FROM "{table}"')
    return int(cursor.fetchone()[0])


def _copy_sqlite(file: Path, into: Path) -> Copied:
    if not file.exists():
        raise NothingThere
    # A connection of its own: what it reads it reads at one moment, and no writer waits for it.
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=10)) as original:
        original.execute("VACUUM INTO ?", [str(into)])
    with closing(sqlite3.connect(into)) as made:
        named = made.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        counted = {
            name: _count(made.cursor(), name)
            for (name,) in sorted(named)
            if not name.startswith("sqlite_")
        }
        if _MIGRATIONS not in counted:
            raise NothingThere
        migrations = made.execute(f"SELECT app || '.' || name FROM {_MIGRATIONS} ORDER BY 1")
        return Copied(
            "sqlite",
            sqlite3.sqlite_version,
            sqlite3.sqlite_version,
            counted,
            [name for (name,) in migrations],
        )


def _overwrite_sqlite(copy: Path, file: Path) -> None:
    try:
        _write_over(copy, file)
    except sqlite3.OperationalError as error:
        raise CannotPutBack(f"{file} cannot be written: {error}") from error
    except sqlite3.DatabaseError:
        # It is no database any more. It is kept: somebody may yet read something from it.
        aside = file.with_name(f"{file.name}.damaged-{timezone.now():%Y%m%dT%H%M%SZ}")
        for suffix in ("", "-wal", "-shm"):
            part = file.with_name(file.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        _write_over(copy, file)


def _write_over(copy: Path, file: Path) -> None:
    """One transaction of SQLite's: whoever has the file open sees the old log or the new one."""
    with closing(sqlite3.connect(copy)) as new, closing(sqlite3.connect(file, timeout=5)) as old:
        new.backup(old)


def _overwrite_postgresql(alias: str, clients: Clients, replaced: list[str], file: Path) -> None:
    script = file.with_suffix(".sql")
    clients.run("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(file))
    _leave_out_what_old_servers_do_not_know(script)
    dropped = ", ".join(f'"{name}"' for name in replaced)
    clients.run(
        "psql",
        *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"),
        f"--command=SET lock_timeout = '{_LOCK_SECONDS}s'",
        f"--command=DROP TABLE IF EXISTS {dropped} CASCADE",
        f"--file={script}",
        at=alias,
    )


def _leave_out_what_old_servers_do_not_know(script: Path) -> None:
    """Blank out `SET transaction_timeout = 0`: new in 17, and 0 is what it is anyway."""
    with script.open("r+b") as file:
        start = file.read(4096).find(_TRANSACTION_TIMEOUT)
        if start >= 0:
            file.seek(start)
            file.write(b" " * len(_TRANSACTION_TIMEOUT))
