"""What a run cost beside time: CPU, fsyncs, bytes written, rows."""

from __future__ import annotations

import resource
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import psutil

from benchmarks.installation import Installation


class Rows(NamedTuple):
    """How many rows one database holds, all at one moment."""

    logs: int
    lots: int
    trades: int

    def since(self, before: Rows) -> Rows:
        return Rows(*(now - then for now, then in zip(self, before, strict=True)))


def count_rows(installation: Installation, database: str) -> Rows:
    tables = ("webhook_logs", "open_positions", "trades")
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
    with installation.connect(database) as connection:
        row = connection.execute(f"SELECT {counts}").fetchone()
    assert row is not None
    return Rows(*row)


@dataclass(frozen=True, slots=True)
class Meter:
    """Where the counters stand; subtract an earlier one to have what was spent."""

    #: Seconds of CPU, user and system together.
    server_cpu: float
    database_cpu: float
    load_cpu: float
    #: Of everything on this machine, what other machines took from it included.
    machine_cpu: float
    #: Bytes the server passed to the system to write (answers aside, its log's pages).
    server_bytes: int
    #: Bytes PostgreSQL wrote to its tables and its write-ahead log, and its fsyncs of the
    #: latter. Its processes tell theirs about once a second, so exact to a second's worth.
    #: Not what the kernel counts: it takes up to a megabyte for each 8 KiB that are changed.
    database_bytes: int
    fsyncs: int

    def since(self, before: Meter) -> Meter:
        return Meter(
            self.server_cpu - before.server_cpu,
            self.database_cpu - before.database_cpu,
            self.load_cpu - before.load_cpu,
            self.machine_cpu - before.machine_cpu,
            self.server_bytes - before.server_bytes,
            self.database_bytes - before.database_bytes,
            self.fsyncs - before.fsyncs,
        )

    @property
    def others_cpu(self) -> float:
        """Seconds of CPU that went to what is not measured."""
        return max(0.0, self.machine_cpu - self.server_cpu - self.database_cpu - self.load_cpu)


def read_meter(installation: Installation, server: Iterable[psutil.Process] = ()) -> Meter:
    """`server`: the processes of the server that is measured."""
    postmaster = installation.postgres()
    database = [postmaster, *postmaster.children(recursive=True)]
    server = list(server)
    load = resource.getrusage(resource.RUSAGE_CHILDREN)
    with installation.connect("postgres") as connection:
        row = connection.execute(
            "SELECT coalesce(sum(fsyncs) FILTER (WHERE object = 'wal'), 0),"
            " coalesce(sum(write_bytes), 0) + coalesce(sum(extend_bytes), 0) FROM pg_stat_io"
        ).fetchone()
    assert row is not None
    return Meter(
        server_cpu=_cpu(server),
        database_cpu=_cpu(database) + _cpu_of_the_dead(postmaster),
        load_cpu=load.ru_utime + load.ru_stime,
        machine_cpu=_cpu_of_the_machine(),
        server_bytes=_bytes(server),
        database_bytes=int(row[1]),
        fsyncs=int(row[0]),
    )


def write_everything(installation: Installation) -> None:
    """A checkpoint: what a run changed is on disk, and counted, at its own cost."""
    with installation.connect("postgres") as connection:
        connection.execute("CHECKPOINT")


def _cpu(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system
    return total


def _cpu_of_the_machine() -> float:
    spent = psutil.cpu_times()
    idle = spent.idle + getattr(spent, "iowait", 0.0)
    # A guest's time is in the user's already.
    guest = getattr(spent, "guest", 0.0) + getattr(spent, "guest_nice", 0.0)
    return float(sum(spent) - idle - guest)


def _cpu_of_the_dead(parent: psutil.Process) -> float:
    spent = parent.cpu_times()
    return float(spent.children_user + spent.children_system)


def _bytes(processes: Iterable[psutil.Process]) -> int:
    total = 0
    for process in processes:
        try:
            total += process.io_counters().write_chars
        except (psutil.Error, AttributeError):  # Not every system counts them.
            continue
    return total
