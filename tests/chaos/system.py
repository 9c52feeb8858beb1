"""The system under test: real servers, their PostgreSQL, their logs, and the line between them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import psycopg

from tests.chaos.host import Host
from tests.chaos.logs import FileLog, PostgresLog, WriteAheadLog
from tests.chaos.proxy import Proxy
from tests.valkey import valkey
from tradelog.embedded import DATABASE, PORT, Cluster
from tradelog.postgres_programs import SUPERUSER

TOKEN = "chaos-0123456789abcdef0123456789"

#: Short, so that what a killed process held is soon free.
LEASE_SECONDS = 1

_SHARED_LOG = "log"


class System:
    """Everything in one folder, at first stopped.

    One host runs PostgreSQL itself, as users have it, until `connect_through_proxy`; from
    then on it reaches the same PostgreSQL through a proxy, and the suite runs PostgreSQL.
    Several hosts are behind the proxy from the beginning, and share a Valkey; each has a log
    of its own, or with `shares_log` all have one, in a second database of that PostgreSQL.
    """

    def __init__(
        self, folder: Path, *, park_seconds: int, hosts: int = 1, shares_log: bool = False
    ) -> None:
        self.park_seconds = park_seconds
        self.is_through_proxy = False
        self._cache_url = ""
        self._closing = ExitStack()
        several = hosts > 1
        names = [f"host-{number}" for number in range(1, hosts + 1)] if several else ["data"]
        self.cluster = Cluster((folder if several else folder / "data") / "postgres")
        self.proxy = Proxy(self.cluster.socket_directory / f".s.PGSQL.{PORT}")
        self._closing.callback(self.proxy.close)
        self._closing.callback(self.cluster.stop)
        shared = PostgresLog(url=self._url(_SHARED_LOG), address=self._address(_SHARED_LOG))
        self.hosts = [
            Host(
                folder / name,
                shared if shares_log else FileLog(folder / name / "wal.sqlite3"),
                self._environment,
            )
            for name in names
        ]
        for host in self.hosts:
            self._closing.callback(host.close)
        if several:
            self.connect_through_proxy()
            self._cache_url = f"valkey://127.0.0.1:{self._closing.enter_context(valkey(folder))}/0"
        if shares_log:
            with closing(psycopg.connect(self.database, autocommit=True)) as connection:
                connection.execute(f"CREATE DATABASE {_SHARED_LOG}")

    def __enter__(self) -> System:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    # --- The hosts ---

    def start(self, hosts: Sequence[Host] = ()) -> None:
        """Start these hosts' servers (all, if none is named) at once; return when they answer."""
        for host in hosts or self.hosts:
            host.start()
        for host in hosts or self.hosts:
            host.wait_until_live()

    def workers(self) -> list[psutil.Process]:
        """The worker processes of all hosts."""
        return [worker for host in self.hosts for worker in host.workers()]

    @property
    def logs(self) -> list[WriteAheadLog]:
        """Every log once."""
        return list(dict.fromkeys(host.log for host in self.hosts))

    # --- PostgreSQL ---

    @property
    def database(self) -> str:
        """Where the suite itself reaches PostgreSQL, as libpq has it: past the proxy."""
        return self._address(DATABASE)

    def postgres_processes(self) -> list[psutil.Process]:
        """The server of the data folder and its children, the postmaster first."""
        postmaster = int((self.cluster.path / "postmaster.pid").read_text().split()[0])
        parent = psutil.Process(postmaster)
        return [parent, *parent.children()]

    def connect_through_proxy(self) -> None:
        """From the next start of the servers on; they must be stopped."""
        self.is_through_proxy = True
        self.cluster.start()

    def bring_database_back(self) -> None:
        """Start PostgreSQL again where that is the suite's part; else the server does it."""
        if self.is_through_proxy:
            self.cluster.start()

    def _address(self, database: str) -> str:
        folder = self.cluster.socket_directory
        return f"host='{folder}' port={PORT} user={SUPERUSER} dbname={database}"

    def _url(self, database: str) -> str:
        return f"postgres://{SUPERUSER}@127.0.0.1:{self.proxy.port}/{database}"

    def _environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "tradelog.settings",
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": "a-key-for-chaos-alone-0123456789-0123456789-0123456789",
            "DEBUG": "false",
            # Empty, not absent: an `.env` file must not set them.
            "DATABASE_URL": self._url(DATABASE) if self.is_through_proxy else "",
            "CACHE_URL": self._cache_url,
            "WEBHOOK_TOKENS": f"chaos:{TOKEN}",
            "WEBHOOK_RATE": "1000000/m",
            "WEBHOOK_TOKEN_RATE": "",
            "WEBHOOK_ALLOWED_IPS": "",
            "TRUSTED_PROXIES": "",
            "ALERT_URLS": "",
            "ALLOWED_HOSTS": "127.0.0.1",
            "WORKERS": "2",
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "PARK_SECONDS": str(self.park_seconds),
        }
