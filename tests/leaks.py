"""Where a secret has come to lie that must be nowhere."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

from django.conf import settings
from django.db import connections


def leaks(secret: str) -> list[str]:
    """Every table's row and every file of TRADELOG_DATA that holds the secret."""
    return [*_rows(secret), *_files(secret)]


def _rows(secret: str) -> Iterator[str]:
    for connection in connections.all():
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                for row in cursor:
                    values = [bytes(value) if _is_binary(value) else value for value in row]
                    if secret in str(values):
                        yield f"a row of {table}: {values}"


def _is_binary(value: object) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)


def _files(secret: str) -> Iterator[str]:
    # In a process of its own: where this one closes a file of SQLite's that it has open
    # elsewhere as well, its locks are gone, and another process spoils the database.
    found = subprocess.run(
        ["grep", "--recursive", "--text", "--files-with-matches", "--fixed-strings",
         "--no-messages", "--regexp", secret, str(settings.TRADELOG_DATA)],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )  # fmt: skip
    # 0: found; 1: not found; 2: a file of PostgreSQL's went away meanwhile.
    assert found.returncode in (0, 1, 2), found
    yield from found.stdout.splitlines()
