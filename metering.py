"""What the service measures of itself, for Prometheus: the counters and clocks of a process.

On the ground floor: whoever does a step counts and times it here; `tradelog.metrics` tells
it all. docs/metrics.md has the meaning of each name.

A server has several processes. Each writes into files of its own below
`PROMETHEUS_MULTIPROC_DIR`, and their sum is told. The files are named by a place, not by a
process: who replaces a dead worker takes over its place and counts on from there, so that
nothing is lost, nothing counts twice, and there are never more files than workers. Where
the variable is not set, a process counts in its memory and for itself.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from itertools import count
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    values,
)

#: "" where a process counts for itself.
FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")


def take_place(folder: Path) -> str:
    """The first place that no living process holds; ours until this process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in count():
        # Never closed: the kernel gives the place back, however the process ends.
        lock = os.open(folder / f"{number}.process", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            # Always of one length, over what the one before wrote: it needs no room on disk.
            os.pwrite(lock, f"{os.getpid():<10}".encode(), 0)
            return str(number)
    raise AssertionError("unreachable")


def count_together(folder: Path, *, workers: int) -> None:
    """Have the processes that this one starts count together in a folder, from 0 on.

    What was counted there before is thrown away: to Prometheus, a server that was started
    again is one whose counters were reset. Raises OSError where that cannot be; then each
    process counts for itself.
    """
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    for number in range(workers):
        for kind in ("counter", "histogram", "gauge_all"):
            # The room is taken now: to write into a mapped file for which the disk has
            # none any more would kill the process.
            (folder / f"{kind}_{number}.db").write_bytes(bytes(_FILE_BYTES))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def processes() -> dict[str, int]:
    """By place: the process that holds it, or held it last."""
    found = ((path.stem, path.read_text()) for path in Path(FOLDER).glob("*.process"))
    return {place: int(pid) for place, pid in found if pid}


#: What the library makes them, and more than all that is measured needs.
_FILE_BYTES = 1 << 16


if FOLDER:
    _place = take_place(Path(FOLDER))
    values.ValueClass = values.MultiProcessValue(lambda: _place)  # type: ignore[no-untyped-call]

# Of several processes there is no one time at which a counter was created.
disable_created_metrics()  # type: ignore[no-untyped-call]

#: Ours alone: the library's own has metrics of whichever process happens to be asked.
registry = CollectorRegistry()

#: Seconds; from what parsing takes to where TradingView has given up.
_BOUNDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)

# Every label has few values, and each is there from 0 on: else the first event would not
# show as an increase. It is also why the files do not grow while alerts come in.

requests = Counter(
    "tradelog_requests",
    "Requests to the webhook, by answer.",
    ("http_status", "status", "code"),
    registry=registry,
)
answering = Histogram(
    "tradelog_answer_seconds",
    "From an alert's arrival to its answer.",
    buckets=_BOUNDS,
    registry=registry,
)
_processing = Histogram(
    "tradelog_processing_seconds",
    "What one step of an alert took.",
    ("step",),
    buckets=_BOUNDS,
    registry=registry,
)
appending = _processing.labels("append")
parsing = _processing.labels("parse")
applying = _processing.labels("apply")
settling = _processing.labels("settle")

_database = Histogram(
    "tradelog_database_operation_seconds",
    "What one transaction took, its waits and its commit included.",
    ("database", "operation"),
    buckets=_BOUNDS,
    registry=registry,
)
#: One try of an alert's effect.
main_transaction = _database.labels("main", "apply")
#: A batch of writes to the log that is on disk when it ends, and one that need not be.
log_append = _database.labels("log", "append")
log_mark = _database.labels("log", "mark")

retries = Counter(
    "tradelog_retries",
    "Transactions on the main database that were tried again.",
    registry=registry,
)
duplicates = Counter("tradelog_duplicates", "Alerts that had come before.", registry=registry)
keys_reused = Counter(
    "tradelog_keys_reused",
    "Duplicates by the sender's key alone: another order, without effect.",
    registry=registry,
)
parked = Counter("tradelog_parked", "Exits that came before their entry.", registry=registry)
drift = Counter(
    "tradelog_drift",
    "Alerts that told another position than the open lots.",
    registry=registry,
)
pnl_discrepancies = Counter(
    "tradelog_pnl_discrepancies",
    "Trades whose reported P&L is not the calculated one.",
    registry=registry,
)
missed_webhooks = Counter(
    "tradelog_missed_webhooks",
    "Alerts that came by mail alone.",
    registry=registry,
)
rate_limited = Counter(
    "tradelog_rate_limited_alerts",
    "Alerts with a valid token that were refused by rate.",
    registry=registry,
)

#: Until when this process asks nothing of the main database, in seconds since 1970;
#: 0: it does ask. Told as a state, `tradelog.metrics.breaker_states`.
breaker_open_until = Gauge(
    "tradelog_breaker_open_until",
    "Told as tradelog_breaker_workers.",
    multiprocess_mode="all",
    registry=registry,
)
# Not what the process before has left here.
breaker_open_until.set(0)


def share(step: Histogram, seconds: float, alerts: int) -> None:
    """Note what a step took that several alerts took together; each has taken that long."""
    for _ in range(alerts):
        step.observe(seconds)
