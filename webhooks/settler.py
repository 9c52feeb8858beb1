"""The one settler of a process: entries that wait together are settled together.

Requests, the draining of the log and replay all hand their entries to it. It takes the
first entries of each book whose turn has come, applies them in one transaction, and marks
them; what comes meanwhile is in the next one. So an entry of a book never overtakes
another, different books share their round trips and commits, and a book that somebody
else holds keeps nobody waiting but itself. What has not the time together has it in smaller
parts; one that has not the time alone is given more, and all others here wait for it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice, takewhile, zip_longest
from queue import Empty, SimpleQueue

from django.db import connections

import metering
from faults import DatabaseUnavailable, Queued
from wal import journal
from wal.models import Entry
from wal.statements import Mark
from wal.steps import found_in_time
from webhooks.applying import apply
from webhooks.main_database import TRANSACTION_SECONDS, took_too_long, transact
from webhooks.observation import observe
from webhooks.outcome import Outcome, noted_of, settled_as
from webhooks.reading import NO_BOOK
from webhooks.turns import comes_before, first_in_line, is_held, line_of, run_of
from webhooks.waiting import Waiting, as_queued, give_back

logger = logging.getLogger(__name__)

#: The most entries in one transaction: enough to share its cost, and few enough that it
#: stays far below its time.
MOST_TOGETHER = 128

#: Seconds between two looks at what another process is working on.
_POLL_SECONDS = 0.004


class Settler:
    """Settles entries on a thread of its own, each book's in the order of the log."""

    def __init__(self) -> None:
        #: None: it is to stop.
        self._arriving: SimpleQueue[Waiting | None] = SimpleQueue()
        self._is_stopping = False
        self._waiting: list[Waiting] = []
        #: How many entries go into one transaction now: as many as have the time.
        self._most = MOST_TOGETHER
        #: Guards what is taken in hand against those who stop waiting for it.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="settler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after what is in hand, unless it takes far longer; what waits stays claimed."""
        self._arriving.put(None)
        self._thread.join(timeout=2 * TRANSACTION_SECONDS)

    def submit(self, waiting: Waiting) -> None:
        """Take an entry that this process holds the claim of, or that wants none."""
        self._arriving.put(waiting)

    def abandon(self, waiting: Waiting) -> bool:
        """Take an entry back; False where it is too late for that."""
        with self._lock:
            waiting.is_abandoned = not waiting.is_in_hand and not waiting.done.done()
            return waiting.is_abandoned

    def _run(self) -> None:
        patience = 0.0
        while not self._is_stopping:
            try:
                self._take_in(patience)
                journal.commit()
                has_settled = self._settle(self._ready())
                # What waits for others waits a moment; nothing tells when they are done.
                patience = 0.0 if has_settled else _POLL_SECONDS
            except Exception as error:
                # Most likely the log cannot be read. Who waits is told so.
                connections["wal"].close()
                self._give_up(self._appended(), error)

    def _take_in(self, patience: float) -> None:
        """Collect what has arrived, and wait for it where nothing else is to be done."""
        if not self._waiting and self._arriving.empty():
            # Back to the pool meanwhile.
            connections["default"].close()
            connections["wal"].close_if_unusable_or_obsolete()
            self._admit(self._arriving.get())
        elif patience:
            with suppress(Empty):
                self._admit(self._arriving.get(timeout=patience))
        if len(self._waiting) + self._arriving.qsize() < MOST_TOGETHER:
            # A transaction of many costs little more than one of few, so threads that bring
            # more go first.
            time.sleep(0)
        with suppress(Empty):
            while True:
                self._admit(self._arriving.get_nowait())

    def _admit(self, arrived: Waiting | None) -> None:
        if arrived is None:
            self._is_stopping = True
        else:
            self._waiting.append(arrived)

    def _ready(self) -> list[Waiting]:
        """The entries to apply next, those of a book in the order of the log."""
        self._leave(each for each in self._waiting if each.is_abandoned or each.done.done())
        brought = self._brought()
        if not brought:
            return []
        lines = first_in_line(brought.keys(), up_to=max(map(max, brought.values())))
        runs = {its: run_of(lines[its], brought[its].keys()) for its in brought}
        claimed = journal.claim([each.id for run in runs.values() for each in run if each.is_free])
        at_hand = self._adopt(claimed.difference(*brought.values()))
        for entries in brought.values():
            at_hand |= entries
        ready: list[list[Waiting]] = []
        held: list[Waiting] = []
        for its, entries in brought.items():
            oldest = next(iter(entries.values()))
            # Up to the first that another process was quicker to claim.
            turn = takewhile(lambda each: not each.is_free or each.id in claimed, runs[its])
            if found := [at_hand[each.id] for each in turn]:
                ready.append(found)
            elif comes_before(oldest.entry, lines[its]) and is_held(oldest.entry):
                ready.append([oldest])
            else:
                held.append(oldest)
        self._give_up([each for each in held if time.monotonic() >= each.limit], Queued())
        # The first of each book goes before the second of any, so that none waits for another's.
        in_turn = chain.from_iterable(zip_longest(*ready))
        return list(islice(filter(None, in_turn), self._most))

    def _brought(self) -> dict[str | int, dict[int, Waiting]]:
        """What waits and is in the log: by line, oldest first, each entry once, by its id."""
        brought: dict[str | int, dict[int, Waiting]] = {}
        for waiting in sorted(self._appended(), key=lambda each: each.entry.pk):
            brought.setdefault(_line(waiting), {}).setdefault(waiting.entry.pk, waiting)
        return brought

    def _appended(self) -> list[Waiting]:
        # An entry that came while the others were committed is in the next commit.
        return [each for each in self._waiting if each.entry.pk is not None]

    def _adopt(self, entry_ids: set[int]) -> dict[int, Waiting]:
        """Take entries that nobody brought; whoever waits behind them waits for them."""
        entries = found_in_time(Entry.objects.filter(pk__in=entry_ids)) if entry_ids else []
        adopted = {entry.pk: Waiting(entry, limit=0) for entry in entries}
        self._waiting += adopted.values()
        return adopted

    def _settle(self, ready: list[Waiting]) -> bool:
        """Apply these entries together; tell whether any came to its end."""
        with self._lock:
            # What comes after one that was taken back must not overtake it.
            left = {_line(each) for each in ready if each.is_abandoned}
            batch = [each for each in ready if _line(each) not in left]
            for waiting in batch:
                waiting.is_in_hand = True
        if not batch:
            return False
        begun = time.perf_counter()
        try:
            outcomes = transact(
                lambda: apply([each.wanted for each in batch]),
                seconds=batch[0].seconds_alone if len(batch) == 1 else TRANSACTION_SECONDS,
            )
        except Exception as error:
            return self._settle_apart(batch, error)
        took = time.perf_counter() - begun
        metering.share(metering.applying, took, len(batch))
        if len(batch) >= self._most and took < TRANSACTION_SECONDS / 2:
            # Twice as many would have had the time.
            self._most = min(MOST_TOGETHER, 2 * self._most)
        settled = [
            (waiting, outcome)
            for waiting, outcome in zip(batch, outcomes, strict=True)
            if outcome is not None
        ]
        self._leave(waiting for waiting, _ in settled)
        self._mark(settled)
        went_on = {_line(waiting) for waiting, _ in settled}
        for waiting in set(batch).difference(waiting for waiting, _ in settled):
            waiting.is_in_hand = False
            # Else somebody else holds its book.
            if _line(waiting) not in went_on and time.monotonic() >= waiting.limit:
                self._give_up([waiting], Queued())
        return bool(settled)

    def _settle_apart(self, batch: list[Waiting], error: Exception) -> bool:
        """Go on with entries that failed together: one of them must not take the others with it.

        Tells whether they are to be seen to at once.
        """
        is_too_much = len(batch) > 1 and took_too_long(error)
        if is_too_much:
            self._most = len(batch) // 2
        if len(batch) == 1 or isinstance(as_queued(error), DatabaseUnavailable):
            self._give_up(self._of_the_books_of(batch), error)
            return True
        for waiting in batch:
            waiting.is_in_hand = False
        if is_too_much:
            return True  # They wait on, and fewer of them are next.
        # What comes after the first of a book is left for its next turn.
        firsts: dict[str | int, Waiting] = {}
        for waiting in batch:
            firsts.setdefault(_line(waiting), waiting)
        return max([self._settle([waiting]) for waiting in firsts.values()])

    def _mark(self, settled: list[tuple[Waiting, Outcome]]) -> None:
        """Mark entries in the log, and tell who waits for them."""
        if not settled:
            return
        marks = [mark for waiting, outcome in settled for mark in _marks(waiting, outcome)]
        begun = time.perf_counter()
        marked = journal.settle(marks)
        journal.commit()
        metering.share(metering.settling, time.perf_counter() - begun, len(settled))
        if marked.exception() is not None:
            # The effects are there and no alert will be applied twice; replay marks them.
            logger.warning("%d log entries could not be marked as settled", len(marks))
        for waiting, outcome in settled:
            try:
                observe(waiting.entry, waiting.book, outcome)
            except Exception:
                # It has its effect: neither who waits for it nor its neighbours may miss that.
                logger.exception("What became of log entry %s could not be told", waiting.entry.pk)
            waiting.done.set_result(outcome)

    def _of_the_books_of(self, batch: list[Waiting]) -> list[Waiting]:
        """These entries and those that wait behind them, which cannot be applied either."""
        books = {waiting.book for waiting in batch} - {NO_BOOK}
        behind = [each for each in self._waiting if each.book in books and each not in batch]
        return batch + behind

    def _give_up(self, several: list[Waiting], error: Exception) -> None:
        """Leave entries in the log, and tell who waits for them."""
        self._leave(several)
        failed: set[str] = set()
        for waiting in several:
            fault = as_queued(error)
            if waiting.book in failed and not isinstance(fault, DatabaseUnavailable):
                # The fault is the older entry's; this one merely has to follow it.
                fault = Queued()
            failed.add(waiting.book)
            give_back(waiting, fault, error)
            waiting.done.set_exception(fault)

    def _leave(self, several: Iterable[Waiting]) -> None:
        gone = set(several)
        self._waiting = [each for each in self._waiting if each not in gone]


def _line(waiting: Waiting) -> str | int:
    return line_of(waiting.book, waiting.entry.pk)


def _marks(waiting: Waiting, outcome: Outcome) -> Iterator[Mark]:
    entry = waiting.entry
    book, status, noted = waiting.book, outcome.entry_status, outcome.noted
    yield Mark(entry.pk, entry.correlation_id, status, book, outcome.log.pk, noted)
    for log in outcome.released:
        yield Mark(log.wal_id, log.correlation_id, settled_as(log), book, log.pk, noted_of(log))


_settler: tuple[int, Settler] | None = None
_starting = threading.Lock()


def settler() -> Settler:
    """This process's settler; a forked process gets one of its own."""
    global _settler
    with _starting:
        if _settler is None or _settler[0] != os.getpid():
            _settler = (os.getpid(), Settler())
        return _settler[1]


def stop_settling() -> None:
    """What this process does before it gives back what it holds."""
    settler().stop()
