"""One run of one way to take alerts, measured; and several of them summed up."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import psutil

from benchmarks import floor, meters
from benchmarks.installation import Installation
from benchmarks.load import Answers, Load
from benchmarks.served import Running, Server


class Dishonest(Exception):
    """What was acknowledged is not in the tables; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to. Latencies are in milliseconds, CPU in milliseconds an alert."""

    part: str
    clients: int
    seconds: float
    #: Answered 200: committed, and not merely in the log.
    alerts: int
    #: Of these, a second.
    throughput: float
    p50: float
    p95: float
    p99: float
    longest: float
    server_cpu: float
    database_cpu: float
    load_cpu: float
    #: The share of the machine's CPU that went to others meanwhile: noise.
    others: float
    #: Of PostgreSQL's write-ahead log, an alert.
    fsyncs: float
    #: Kilobytes an alert.
    server_kb: float
    database_kb: float
    #: Acknowledged, and neither in the tables nor in a log at the end of the run; or answered
    #: 200 and not in the tables.
    unwritten: int
    #: Answered 202: in the log, and to have its effect later.
    queued: int

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.part:9} {self.clients:3} clients {self.throughput:8,.0f} alerts/s  "
            f"p99 {self.p99:7.1f} ms"
        )


def measure_floor(installation: Installation, *, clients: int, seconds: float, books: int) -> Run:
    """The floor, after a second of warming up."""

    def load(seconds: float) -> Answers:
        return floor.run(installation, clients=clients, seconds=seconds, books=books)

    load(1)
    return _measure(installation, "floor", floor.DATABASE, clients, lambda: load(seconds))


def measure_server(
    installation: Installation,
    server: Server,
    running: Running,
    load: Load,
    *,
    clients: int,
    seconds: float,
) -> Run:
    """A running server, after a second of warming up.

    Raises Dishonest if it answered for what is not there. The way with a queue in memory
    is spared: what it has not written is its figure.
    """
    load.warm_up(running.url, clients=clients)
    server.wait_until_settled(installation)
    run = _measure(
        installation, server.name, server.database, clients,
        lambda: load.run(running.url, clients=clients, seconds=seconds), running.processes(),
        lambda: server.unsettled(installation),
    )  # fmt: skip
    if run.unwritten and server.is_honest:
        raise Dishonest(
            f"{server.title}: {run.unwritten} of {run.alerts + run.queued} acknowledged alerts "
            f"at {clients} clients are neither in its tables nor in its log."
        )
    return run


def _measure(
    installation: Installation,
    part: str,
    database: str,
    clients: int,
    load: Callable[[], Answers],
    server: Sequence[psutil.Process] = (),
    in_log: Callable[[], int] = lambda: 0,
) -> Run:
    meters.write_everything(installation)
    rows = meters.count_rows(installation, database)
    before = meters.read_meter(installation, server)
    answers = load()
    spent = meters.read_meter(installation, server).since(before)
    # At once: what is written later was not written when it was acknowledged. The log
    # first, since what it holds moves to the tables.
    logged = in_log()
    written = meters.count_rows(installation, database).since(rows)
    meters.write_everything(installation)
    all_bytes = meters.read_meter(installation, server).since(before)
    if answers.refused:
        raise Dishonest(f"{part} answered {answers.by_status}")
    # Each alert of the load opens a lot of one contract or closes one.
    if written.lots + written.trades != written.logs:
        raise Dishonest(f"{part} wrote {written}: alerts without their one effect")
    if not (alerts := answers.processed):
        raise Dishonest(f"{part} gave no alert its effect at once: {answers.by_status}")
    return Run(
        part=part,
        clients=clients,
        seconds=answers.seconds,
        alerts=alerts,
        throughput=alerts / answers.seconds,
        p50=answers.p50,
        p95=answers.p95,
        p99=answers.p99,
        longest=answers.longest,
        server_cpu=1000 * spent.server_cpu / alerts,
        database_cpu=1000 * spent.database_cpu / alerts,
        load_cpu=1000 * spent.load_cpu / alerts,
        others=spent.others_cpu / (answers.seconds * (psutil.cpu_count() or 1)),
        fsyncs=spent.fsyncs / alerts,
        server_kb=all_bytes.server_bytes / 1000 / alerts,
        database_kb=all_bytes.database_bytes / 1000 / alerts,
        unwritten=max(0, alerts - written.logs, answers.acknowledged - written.logs - logged),
        queued=answers.acknowledged - alerts,
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure of several runs."""

    median: float
    least: float
    most: float


def spread(figures: Sequence[float]) -> Spread:
    return Spread(statistics.median(figures), min(figures), max(figures))
