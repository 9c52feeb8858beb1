"""Replay by several processes side by side, each with its share of the books.

A process settles what one core can, since Python has one lock. Books do not wait for each
other, and whoever holds an entry's claim settles it, so the shares need no agreement but
which book is whose.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

#: Entries from which on more processes are worth their start: it takes as long as they save
#: with 3,000 (docs/performance.md).
WORTH_IT = 5_000

#: Entries from which on one more than there are cores is worth its start: each waits for the
#: databases a tenth of its time (docs/performance.md).
WORTH_ANOTHER = 20_000

#: All take turns at one log, and more than three have hardly been measured.
MOST = 4

#: Seconds between two reports of a process: often enough for a bar, and seldom enough not to
#: take a core from those that settle.
_REPORT_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """What has become of entries since the last time it was told."""

    #: How many came to their end.
    settled: int = 0
    #: A line about each of those that failed.
    failed: tuple[str, ...] = ()
    #: A line about each that was tried and stays in the log.
    staying: tuple[str, ...] = ()
    #: How many stay there untried, since the database is away.
    untried: int = 0


def processes_for(entries: int) -> int:
    """How many processes to share so many entries among."""
    if entries < WORTH_IT:
        return 1
    has_say = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_say else os.cpu_count() or 1
    return min(MOST, cores + (entries >= WORTH_ANOTHER))


def settle_side_by_side(processes: int) -> Generator[Progress]:
    """Settle what the log holds unsettled; tell of what has come to its end.

    What could not be settled is in the log as before, and so is the share of a process that
    died: `webhooks.replay.replay` comes to it afterwards.
    """
    # Fresh ones: a forked one would have our database connections, and not our threads.
    fresh = multiprocessing.get_context("spawn")
    level = logging.getLogger("webhooks").level
    running, reports = [], []
    try:
        for number in range(processes):
            ours, its = fresh.Pipe(duplex=False)
            process = fresh.Process(
                target=_settle_share, args=(its, number, processes, level), daemon=True
            )
            process.start()
            its.close()  # The last end but its own, so that we see when it is gone.
            running.append(process)
            reports.append(ours)
        while reports:
            for report in wait(reports):
                assert isinstance(report, Connection)
                try:
                    yield report.recv()
                except EOFError:
                    reports.remove(report)
    finally:
        for process in running:
            process.terminate()
            process.join()


def _settle_share(report: Connection, number: int, of: int, level: int) -> None:
    """What one of the processes does."""
    # Ctrl-C is for the one who started us, and who ends us then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import django

    django.setup()
    # The apps have to be there first.
    import garbage
    from webhooks.replay import Choice, Share, line_about, replay

    garbage.collect_seldom()
    logging.getLogger("webhooks").setLevel(level)
    settled, failed, told_at = 0, [], time.monotonic()
    # Who is to be told may be gone.
    with suppress(BrokenPipeError):
        for replayed in replay(Choice(share=Share(number, of))):
            if replayed.outcome is None:
                continue  # It stays in the log, for the one who comes after us.
            settled += 1
            if not replayed.is_settled_well:
                failed.append(line_about(replayed))
            if time.monotonic() - told_at >= _REPORT_EVERY:
                report.send(Progress(settled, tuple(failed)))
                settled, failed, told_at = 0, [], time.monotonic()
        report.send(Progress(settled, tuple(failed)))
