"""An installation of its own to measure: data folder, embedded PostgreSQL, databases in it."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from tradelog.embedded import DATABASE, PORT, Cluster
from tradelog.postgres_programs import SUPERUSER

ROOT = Path(__file__).resolve().parent.parent
SYMBOL = "BINANCE:BTCUSDT"
TOKEN = "bench-0123456789abcdef0123456789"


class Installation:
    """A folder with a cluster that is held until this process ends, migrated and empty."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = Cluster(folder / "postgres")
        self.cluster.hold()
        self.manage("migrate", "--database=default", "--verbosity=0")
        self.manage("migrate", "--database=wal", "--verbosity=0")

    def add_strategies(self, count: int) -> None:
        """`Strategy 0` and so on, one for each book: a trader has them before the load comes."""
        with self.connect() as connection:
            connection.execute(
                "INSERT INTO strategies (name, enabled, default_quantity, created_at, muted) "
                "SELECT 'Strategy ' || n, true, 1, now(), false FROM generate_series(0, %s) n "
                "ON CONFLICT DO NOTHING",
                [count - 1],
            )

    def manage(self, *arguments: str, **environment: str) -> str:
        """Run a command of the service to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def copy_database(self, name: str) -> None:
        """A database like the service's own as it is now, unless it is there."""
        with self.connect("postgres") as connection:
            known = "SELECT 1 FROM pg_database WHERE datname = %s"
            if not connection.execute(known, [name]).fetchone():
                copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
                connection.execute(copy.format(sql.Identifier(name), sql.Identifier(DATABASE)))

    def connect(self, name: str = DATABASE) -> closing[psycopg.Connection[Any]]:
        """`with installation.connect() as connection:`, committing each statement."""
        return closing(
            psycopg.connect(
                host=str(self.cluster.socket_directory),
                port=PORT,
                user=SUPERUSER,
                dbname=name,
                autocommit=True,
            )
        )

    def url(self, name: str) -> str:
        """A DATABASE_URL of one of its databases."""
        folder = quote(str(self.cluster.socket_directory), safe="")
        return f"postgres://{SUPERUSER}@{folder}:{PORT}/{name}"

    @property
    def socket(self) -> Path:
        """PostgreSQL's own socket."""
        return self.cluster.socket_directory / f".s.PGSQL.{PORT}"

    def postgres(self) -> psutil.Process:
        """The postmaster."""
        return psutil.Process(int((self.cluster.path / "postmaster.pid").read_text().split()[0]))

    def environment(self, **own: str) -> dict[str, str]:
        """What a process of it runs under: no rate limits, the rest as users have it."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tradelog.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": "a-key-for-benchmarks-alone-0123456789-0123456789-0123456789",
            "DEBUG": "false",
            "TRADELOG_DATA": str(self.folder),
            # Empty, not absent: an `.env` file must not set them.
            "DATABASE_URL": "",
            "WAL_DATABASE_URL": "",
            "CACHE_URL": "",
            "WEBHOOK_TOKENS": f"bench:{TOKEN}",
            "WEBHOOK_RATE": "1000000000/m",
            "WEBHOOK_TOKEN_RATE": "",
            "WEBHOOK_ALLOWED_IPS": "",
            "TRUSTED_PROXIES": "",
            "ALERT_URLS": "",
            "ALLOWED_HOSTS": "127.0.0.1",
            "LOG_LEVEL": "INFO",
            **own,
        }


@contextmanager
def temporary_installation() -> Iterator[Installation]:
    """One in a folder of its own, which is gone afterwards."""
    # As Ctrl-C does, SIGTERM ends a run by way of its clean-up.
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))
    folder = Path(tempfile.mkdtemp(prefix="tradelog-bench-"))
    try:
        installation = Installation(folder)
        try:
            yield installation
        finally:
            installation.cluster.release()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def machine() -> dict[str, object]:
    """What is measured on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        # Of others too: on a busy machine every figure is too low.
        "load_average_before": round(psutil.getloadavg()[0], 2),
    }
