"""The write-ahead log on a PostgreSQL, as hosts without a lasting disk have it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from tests.server import databases_of_this_run


class Log:
    """A database of its own for the log, beside the main one of this test run."""

    NAME = "log_of_its_own"

    def __init__(self) -> None:
        self.url = databases_of_this_run()["DATABASE_URL"].rpartition("/")[0] + f"/{self.NAME}"
        with connections["default"].cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {self.NAME} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {self.NAME}")
        self._connection = psycopg.connect(self.url, autocommit=True)

    @property
    def socket(self) -> Path:
        """Where its server listens; skips the test where that is no socket."""
        main = connections["default"].settings_dict
        if not main["HOST"].startswith("/"):
            pytest.skip("the proxy passes on to a Unix socket")
        return Path(main["HOST"]) / f".s.PGSQL.{main['PORT'] or 5432}"

    def url_by(self, port: int) -> str:
        """Its address by a port of this machine."""
        user = connections["default"].settings_dict["USER"]
        return f"postgres://{user}@127.0.0.1:{port}/{self.NAME}"

    def statuses(self) -> list[str]:
        rows = self._connection.execute("SELECT status FROM webhook_wal ORDER BY id").fetchall()
        return [status for (status,) in rows]

    def execute(self, statement: str) -> None:
        self._connection.execute(statement)

    def allow_connections(self, allowed: bool) -> None:
        """Whether anybody may connect; if not, those who are connected are cut off."""
        with connections["default"].cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {self.NAME} ALLOW_CONNECTIONS {allowed}")
        if not allowed:
            self.cut()

    def cut(self) -> None:
        """Cut all connections to it but ours."""
        self.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def holds(self, query: str) -> bool:
        """Whether this is so, as a query tells."""
        found = self._connection.execute(query).fetchone()
        assert found
        return bool(found[0])

    def is_waited_for(self, lock: str, *, seconds: float = 0.0) -> bool:
        """Whether somebody waits for a lock of this type, and has for so long."""
        return self.holds(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            f" AND wait_event_type = 'Lock' AND wait_event = '{lock}'"
            f" AND clock_timestamp() - query_start > interval '{seconds} s')"
        )

    @contextmanager
    def held(self, statement: str) -> Iterator[None]:
        """Hold what this locks."""
        with psycopg.connect(self.url) as other:
            other.execute(statement)
            yield

    def close(self) -> None:
        self._connection.close()
        with connections["default"].cursor() as cursor:
            cursor.execute(f"DROP DATABASE {self.NAME} WITH (FORCE)")
