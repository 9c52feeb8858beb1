"""What keeps a command from its work, as the sentence that it ends with."""

from __future__ import annotations

import sqlite3

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, InterfaceError, OperationalError, connections

from faults import lacks_tables
from tradelog.databases import NAMES


def told(error: Exception) -> str | None:
    """In a sentence: a setting that cannot be read, a database out of reach or without tables.

    None where it is something else, and a fault of ours.
    """
    if isinstance(error, ImproperlyConfigured):
        return str(error)
    if not isinstance(error, Error):
        return None
    text = str(error).strip()
    if lacks_tables(error):
        return (
            f"The {_name(error)} has not the tables it should have: {text.splitlines()[0]}. "
            "`make serve` makes them, and so do `manage.py migrate` and "
            "`manage.py migrate --database wal`."
        )
    if isinstance(error, OperationalError | InterfaceError):
        return f"The {_name(error)} is out of reach: {text}"
    return None


def _name(error: Error) -> str:
    """Of the two databases the one that is meant, where their kinds tell."""
    kinds = {"sqlite": sqlite3.Error, "postgresql": psycopg.Error}
    meant = [
        NAMES[alias]
        for alias in connections
        if isinstance(error.__cause__, kinds[connections[alias].vendor])
    ]
    return meant[0] if len(meant) == 1 else "database"
