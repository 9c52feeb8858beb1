"""What an alert costs past one machine: hosts, logs, months, and what stays on the disks.

`make bench WHAT=scaling`: each layout on this one machine, so alerts a second tell nothing of
two machines; what an alert takes of servers and PostgreSQL does.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil
from tabulate import tabulate

from benchmarks import meters
from benchmarks.installation import Installation, machine, temporary_installation
from benchmarks.load import HOW_TO_INSTALL, Load
from benchmarks.measured import Dishonest
from benchmarks.served import TRADELOG, Running, running
from tests.valkey import valkey
from tradelog.embedded import DATABASE

_BOOKS = 256
_CLIENTS = 64

#: As many alerts as no load comes to, in whole rounds of buying and selling.
_APART = 2 * _BOOKS * 1_000_000


@dataclass(frozen=True, slots=True)
class Layout:
    """Hosts on one PostgreSQL, and where their logs are."""

    key: str
    name: str
    hosts: int
    #: In a database of its own of the same PostgreSQL; else each host has a SQLite file.
    shares_log: bool = False
    in_months: bool = False


LAYOUTS = (
    Layout("one", "one host", 1),
    Layout("own", "two hosts, a log each", 2),
    Layout("shared", "two hosts, one log on PostgreSQL", 2, shares_log=True),
    Layout("months", "the same, in months", 2, shares_log=True, in_months=True),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a layout; each figure but the first an alert's."""

    layout: str
    throughput: float
    p50: float
    p99: float
    server_cpu: float
    database_cpu: float
    #: Bytes of PostgreSQL's own write-ahead log.
    database_log_bytes: float
    #: The share of the machine's CPU that went to others meanwhile.
    others: float


@dataclass(frozen=True, slots=True)
class Size:
    """What a table takes, in bytes an alert."""

    table: str
    rows: float
    indexes: float


class Hosts:
    """A layout while it runs."""

    def __init__(self, installation: Installation, layout: Layout, stack: ExitStack) -> None:
        self._installation = installation
        self.layout = layout
        self.folders = [
            installation.folder / f"{layout.key}-{number}" for number in range(layout.hosts)
        ]
        environment = {"DATABASE_URL": installation.url(DATABASE)}
        self.log = ""
        if layout.shares_log:
            self.log = f"log_{layout.key}"
            with installation.connect("postgres") as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {self.log} WITH (FORCE)")
                connection.execute(f"CREATE DATABASE {self.log}")
            environment["WAL_DATABASE_URL"] = installation.url(self.log)
            installation.manage("migrate", "--database=wal", "--verbosity=0", **environment)
        if layout.in_months:
            installation.manage("partition_log", **environment)
        if layout.hosts > 1:
            port = stack.enter_context(valkey(installation.folder))
            environment["CACHE_URL"] = f"valkey://127.0.0.1:{port}/0"
        self._running: list[Running] = [
            stack.enter_context(running(TRADELOG, installation, tracer=(), **of_host))
            for of_host in ({**environment, "TRADELOG_DATA": str(one)} for one in self.folders)
        ]
        self._loads = [Load(books=_BOOKS, first=number * _APART) for number in range(layout.hosts)]

    def measure(self, seconds: float) -> Measured:
        """All hosts under load at once, after a second of warming up. Raises Dishonest, NoLoad."""
        clients = _CLIENTS // len(self._running)
        with ThreadPoolExecutor() as together:
            for load, host in zip(self._loads, self._running, strict=True):
                together.submit(load.warm_up, host.url, clients=clients)
        meters.write_everything(self._installation)
        processes = [process for host in self._running for process in host.processes()]
        rows = meters.count_rows(self._installation, DATABASE)
        written, before = self._written(), meters.read_meter(self._installation, processes)
        with ThreadPoolExecutor() as together:
            runs = [
                together.submit(load.run, host.url, clients=clients, seconds=seconds)
                for load, host in zip(self._loads, self._running, strict=True)
            ]
        answers = [run.result() for run in runs]
        spent = meters.read_meter(self._installation, processes).since(before)
        alerts = sum(each.processed for each in answers)
        if meters.count_rows(self._installation, DATABASE).since(rows).logs < alerts:
            raise Dishonest(f"{self.layout.name} answered for alerts that it did not write.")
        return Measured(
            layout=self.layout.name,
            throughput=sum(each.processed / each.seconds for each in answers),
            p50=max(each.p50 for each in answers),
            p99=max(each.p99 for each in answers),
            server_cpu=1000 * spent.server_cpu / alerts,
            database_cpu=1000 * spent.database_cpu / alerts,
            database_log_bytes=(self._written() - written) / alerts,
            others=spent.others_cpu / (seconds * (psutil.cpu_count() or 1)),
        )

    def sizes(self) -> list[Size]:
        """What the alerts taken so far take on the disks; the servers must be stopped."""
        with self._installation.connect(DATABASE) as connection:
            counted = connection.execute("SELECT count(*) FROM webhook_logs").fetchone()
        assert counted
        tables = ("webhook_logs", "open_positions", "trades")
        found = [self._size(DATABASE, table, int(counted[0])) for table in tables]
        if self.log:
            with self._installation.connect(self.log) as connection:
                counted = connection.execute("SELECT count(*) FROM webhook_wal").fetchone()
            assert counted
            return [*found, self._size(self.log, "webhook_wal", int(counted[0]))]
        taken = entries = 0
        for folder in self.folders:
            with closing(sqlite3.connect(folder / "wal.sqlite3")) as log:
                entries += log.execute("SELECT count(*) FROM webhook_wal").fetchone()[0]
                taken += log.execute("PRAGMA page_count").fetchone()[0] * 4096
        return [*found, Size("webhook_wal in SQLite, indexes too", taken / entries, 0)]

    def _size(self, database: str, table: str, alerts: int) -> Size:
        with self._installation.connect(database) as connection:
            # Of a partitioned table, its partitions.
            taken = connection.execute(
                "SELECT sum(pg_table_size(oid)), sum(pg_indexes_size(oid)) FROM pg_class"
                " WHERE oid = to_regclass(%s) OR oid IN"
                " (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(%s))",
                [table, table],
            ).fetchone()
        assert taken
        return Size(table, int(taken[0]) / alerts, int(taken[1]) / alerts)

    def _written(self) -> int:
        with self._installation.connect("postgres") as connection:
            place = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"
            found = connection.execute(place).fetchone()
        assert found
        return int(found[0])


def partition_seconds(installation: Installation, entries: int) -> tuple[float, str]:
    """How long the log of so many entries is locked while it is partitioned; what was told."""
    environment = {"WAL_DATABASE_URL": installation.url("log_to_partition")}
    with installation.connect("postgres") as connection:
        connection.execute("CREATE DATABASE log_to_partition")
    installation.manage("migrate", "--database=wal", "--verbosity=0", **environment)
    with installation.connect("log_to_partition") as connection:
        connection.execute(
            "INSERT INTO webhook_wal (correlation_id, body, envelope, book, status, attempts,"
            " last_error, received_at, settled_at, webhook_log_id, claimed_by)"
            " SELECT gen_random_uuid(), convert_to(repeat('x', 200), 'UTF8'),"
            ' \'{"token": "bench", "address": "127.0.0.1"}\', \'Strategy \' || n %% 256,'
            " 'completed', 1, '', moment, moment, n, '' FROM generate_series(1, %s) n,"
            " LATERAL (SELECT now() - n * interval '1 second' AS moment) made",
            [entries],
        )
    told = installation.manage("partition_log", **environment)
    return float(told.split(" after ")[1].split(" s:")[0]), told


def table(runs: Sequence[Measured]) -> str:
    """Medians by layout."""
    rows = []
    for name in dict.fromkeys(run.layout for run in runs):
        group = [run for run in runs if run.layout == name]
        figures = (
            ("throughput", ",.0f"), ("p50", ",.0f"), ("p99", ",.0f"), ("server_cpu", ".2f"),
            ("database_cpu", ".2f"), ("database_log_bytes", ",.0f"), ("others", ".0%"),
        )  # fmt: skip
        rows.append(
            [
                name,
                *(format(median(getattr(run, one) for run in group), how) for one, how in figures),
            ]
        )
    headers = ("layout", "alerts/s", "p50 ms", "p99 ms", "CPU ms servers", "CPU ms PostgreSQL",
               "bytes of PostgreSQL's log", "CPU to others")  # fmt: skip
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def table_of_sizes(sizes: Sequence[Size]) -> str:
    rows = [
        (size.table, f"{size.rows:,.0f}", f"{size.indexes:,.0f}" if size.indexes else "")
        for size in sizes
    ]
    return tabulate(rows, ("bytes an alert", "rows", "indexes"), tablefmt="github",
                    disable_numparse=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench WHAT=scaling", description=__doc__)
    keys = [layout.key for layout in LAYOUTS]
    parser.add_argument("--only", default=",".join(keys), help=f"of {','.join(keys)}")
    parser.add_argument("--seconds", type=float, default=8, help="a run takes (default 8)")
    parser.add_argument("--runs", type=int, default=3, help="of each (default 3)")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the log partitioned")
    parser.add_argument("--json", type=Path, default=Path("bench-scaling.json"))
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit(HOW_TO_INSTALL)
    told: dict[str, object] = {"machine": machine()}
    runs: list[Measured] = []
    sizes: dict[str, list[Size]] = {}
    for layout in [one for one in LAYOUTS if one.key in options.only.split(",")]:
        with temporary_installation() as installation:
            installation.add_strategies(_BOOKS)
            with ExitStack() as stack:
                hosts = Hosts(installation, layout, stack)
                for _ in range(options.runs):
                    runs.append(hosts.measure(options.seconds))
                    print(f"{layout.name}: {runs[-1].throughput:,.0f} alerts/s", flush=True)
            sizes[layout.name] = hosts.sizes()
    with temporary_installation() as installation:
        seconds, line = partition_seconds(installation, options.entries)
    print(table(runs))
    for name, found in sizes.items():
        print(f"\n{name}\n{table_of_sizes(found)}")
    print(f"\n{options.entries:,} entries: {line}")
    told["runs"] = [asdict(run) for run in runs]
    told["sizes"] = {name: [asdict(size) for size in found] for name, found in sizes.items()}
    told["partitioned"] = {"entries": options.entries, "seconds": seconds}
    options.json.write_text(json.dumps(told, indent=1) + "\n")
    print(f"All figures: {options.json}")


if __name__ == "__main__":
    main()
