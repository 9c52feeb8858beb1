"""The one writer of a process: writes that wait together are committed together."""

from __future__ import annotations

import contextvars
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction

import deadline
import metering
from wal.turn import PATIENCE, Turnstile, turn_on_postgresql

logger = logging.getLogger(__name__)

T = TypeVar("T")
Item = TypeVar("Item")

ALIAS = "wal"

#: The most writes in one transaction: what arrives in the time of one fsync is far
#: less, and a bound keeps the wait of the first in the batch short.
MOST_TOGETHER = 256

#: When a write is due: at once, or at no time.
_NOW, _NEVER = 0.0, math.inf


@dataclass(frozen=True, slots=True)
class _Write:
    #: Runs inside the writer's transaction, once for all items that wait for it together;
    #: tells the result of each.
    work: Callable[[list[Any]], Sequence[Any]]
    item: Any
    #: Whether its commit must be on disk before the caller goes on.
    durable: bool
    #: Seconds its commit may take on a PostgreSQL, the turn included.
    limit: float
    #: When the writer's own thread commits it if nobody else has, on time.monotonic()'s clock.
    due: float
    done: Future[Any]
    #: Whose it is: what its end has to say in the log lines is said with these ids.
    context: contextvars.Context


class Writer:
    """Writes to the log in the order that was asked for, one batch at a time.

    A write that comes while a batch is committed is in the next one, so no append starves,
    and one fsync serves all that waited for it. Batches are committed by a thread of the
    writer's own; of writes that have time, by whoever goes on with them (`commit`), which
    saves waking it and makes the batches large.
    """

    def __init__(self) -> None:
        #: In the order that was asked for.
        self._waiting: deque[_Write] = deque()
        self._turnstile: Turnstile | None = None
        #: Held by the thread that commits.
        self._committing = threading.Lock()
        self._synchronous = _Synchronous()
        #: Wakes the writer's thread: moments at which something is due.
        self._due: SimpleQueue[float] = SimpleQueue()
        #: Whether it will wake before anything is due that comes now.
        self._is_reminded = False
        threading.Thread(target=self._run, name="log-writer", daemon=True).start()

    def submit(
        self,
        statement: Callable[[], T],
        *,
        durable: bool,
        patience: float = 0.0,
        limit: float = PATIENCE,
    ) -> Future[T]:
        """Ask for a write; the future holds its result, or the database's exception.

        A PostgreSQL that has not committed it within `limit` seconds is given up; math.inf: it
        takes as long as it takes. SQLite is a part of this process, and has limits of its own.
        """
        return self.submit_item(
            _one_by_one, statement, durable=durable, patience=patience, limit=limit
        )

    def submit_item(
        self,
        work: Callable[[list[Item]], Sequence[T]],
        item: Item,
        *,
        durable: bool,
        patience: float = 0.0,
        limit: float = PATIENCE,
    ) -> Future[T]:
        """As `submit`, for work that takes many items as easily as one.

        For `patience` seconds it is left to others to commit it.
        """
        done: Future[T] = Future()
        due = time.monotonic() + patience if patience else _NOW
        context = contextvars.copy_context()
        self._waiting.append(_Write(work, item, durable, limit, due, done, context))
        if not patience:
            self._due.put(_NOW)
        elif not self._is_reminded:
            self._is_reminded = True
            self._due.put(due)
        return done

    def commit(self) -> None:
        """Write what waits, on this thread. Raises nothing: each write's future is told."""
        with self._committing:
            batch = self._next()
            while batch:
                self._commit(batch)
                batch = self._next()

    def _next(self) -> list[_Write]:
        batch: list[_Write] = []
        with suppress(IndexError):
            while len(batch) < MOST_TOGETHER:
                batch.append(self._waiting.popleft())
        return batch

    def _run(self) -> None:
        due = _NEVER
        while True:
            with suppress(Empty):
                left = None if due == _NEVER else max(0.0, due - time.monotonic())
                due = min(due, self._due.get(timeout=left))
            if time.monotonic() < due:
                continue
            # First, so that what comes from now on is reminded of again.
            self._is_reminded = False
            if due != _NOW:
                # What it was has mostly been committed by others; what came since has time.
                due = self._oldest_due()
            if time.monotonic() >= due:
                self.commit()
                due = _NEVER
            self._is_reminded = due != _NEVER

    def _oldest_due(self) -> float:
        try:
            return self._waiting[0].due
        except IndexError:
            return _NEVER

    def _commit(self, batch: list[_Write]) -> None:
        durable = any(write.durable for write in batch)
        limit = max(write.limit for write in batch)
        took = metering.log_append if durable else metering.log_mark
        try:
            with took.time(), deadline.within(limit), self._turn(durable=durable, limit=limit):
                # Only now: who gave up while we waited for our turn has been told that
                # nothing was accepted.
                batch = _still_wanted(batch)
                # Appends first, so that they go together; they come before nothing else.
                batch.sort(key=lambda write: not write.durable)
                results = [
                    result
                    for work, writes in groupby(batch, lambda write: write.work)
                    for result in work([write.item for write in writes])
                ]
        except (OperationalError, InterfaceError) as error:
            # The database itself: full, locked, read-only, gone. Nothing was written,
            # and trying each write alone would only wait as often.
            deadline.forget_connections(connections[ALIAS])
            _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                if not isinstance(error, DatabaseError):
                    batch[0].context.run(logger.exception, "A write to the log failed")
                _fail(batch, error)
            else:
                # One bad write must not take the others with it.
                for write in batch:
                    self._commit([write])
        else:
            for write, result in zip(batch, results, strict=True):
                write.done.set_result(result)

    @contextmanager
    def _turn(self, *, durable: bool, limit: float) -> Iterator[None]:
        connection = connections[ALIAS]
        if connection.vendor != "sqlite":
            # In turn, so that entries become visible in the order of their ids.
            with turn_on_postgresql(connection, seconds=limit, durable=durable):
                yield
            return
        with ExitStack() as turn:
            try:
                if self._turnstile is None:
                    self._turnstile = Turnstile(Path(str(connection.settings_dict["NAME"])))
                turn.enter_context(self._turnstile.turn())
            except OSError as error:
                # The locks are the database's as much as its file is.
                raise OperationalError(f"No turn can be had: {error}") from error
            # A mark that an entry is settled may be lost with the power: replay is
            # idempotent. Only appends pay for the fsync.
            synchronous = "FULL" if durable else "NORMAL"
            if (connection.connection, synchronous) != self._synchronous.of:
                with connection.cursor() as cursor:
                    cursor.execute(f"PRAGMA synchronous={synchronous}")
                self._synchronous.of = connection.connection, synchronous
            with transaction.atomic(using=ALIAS):
                yield


class _Synchronous(threading.local):
    """What a thread's connection to SQLite commits under."""

    of: tuple[object, str] = None, ""


def _still_wanted(batch: list[_Write]) -> list[_Write]:
    """The writes that nobody gave up; they cannot be given up from now on."""
    return [
        each for each in batch if each.done.running() or each.done.set_running_or_notify_cancel()
    ]


def _fail(batch: list[_Write], error: Exception) -> None:
    for write in _still_wanted(batch):
        write.context.run(write.done.set_exception, error)


def _one_by_one(statements: list[Callable[[], T]]) -> list[T]:
    return [statement() for statement in statements]


_writer: tuple[int, Writer] | None = None
_starting = threading.Lock()


def writer() -> Writer:
    """This process's writer; a forked process gets one of its own."""
    global _writer
    with _starting:
        if _writer is None or _writer[0] != os.getpid():
            _writer = (os.getpid(), Writer())
        return _writer[1]
