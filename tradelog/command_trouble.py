"""What keeps a command from its work, as the sentence that it ends with."""

from __future__ import annotations

import sqlite3

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, Error, InterfaceError, OperationalError, connections
from django.db.migrations.exceptions import MigrationSchemaMissing
from psycopg_pool import PoolTimeout

from faults import lacks_tables
from tradelog.databases import NAMES

_REFUSALS = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)


def told(error: Exception) -> str | None:
    """In a sentence: a setting that cannot be read, a file, a database out of reach or lacking.

    None where it is something else, and a fault of ours.
    """
    if isinstance(error, ImproperlyConfigured):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    error = _found_by_migrating(error)
    if not isinstance(error, Error):
        return None
    if lacks_tables(error):
        return (
            f"The {_name(error)} has not the tables it should have: {why(error)}. "
            "`make serve` makes them, and so do `manage.py migrate` and "
            "`manage.py migrate --database wal`."
        )
    if is_refusal(error):
        return f"The {_name(error)} refuses it: {why(error)}"
    # SQLite's own for a file that is damaged, or no database.
    if isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError:
        return f"The {_name(error)} is out of reach: {why(error)}"
    return None


def why(error: Exception) -> str:
    """What a database says is wrong, in one line.

    A pool tells only that it got no connection in time; then the server is asked for one.
    """
    if isinstance(error.__cause__, PoolTimeout):
        for alias in connections:
            if connections[alias].vendor != "postgresql":
                continue
            try:
                psycopg.connect(**connections[alias].get_connection_params()).close()
            except psycopg.Error as found:
                return " ".join(str(found).split())
    return str(_found_by_migrating(error)).strip().partition("\n")[0]


def is_refusal(error: Exception) -> bool:
    """Whether the database answers, and its role lacks a right, or it is a standby."""
    return isinstance(_found_by_migrating(error).__cause__, _REFUSALS)


def _found_by_migrating(error: Exception) -> Exception:
    """What the database said, where Django has put words of its own around it."""
    if isinstance(error, MigrationSchemaMissing) and isinstance(error.__context__, Error):
        return error.__context__
    return error


def _name(error: Error) -> str:
    """Of the two databases the one that is meant, where their kinds tell."""
    kinds = {"sqlite": sqlite3.Error, "postgresql": psycopg.Error}
    meant = [
        NAMES[alias]
        for alias in connections
        if isinstance(error.__cause__, kinds[connections[alias].vendor])
    ]
    return meant[0] if len(meant) == 1 else "database"
