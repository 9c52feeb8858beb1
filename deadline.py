"""How long the work at hand may still take, and connections that keep to it.

On the ground floor, beside the faults: whoever promises an answer in time says so
here, and whatever waits on its behalf finds it here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.abc import PQGen

T = TypeVar("T")

#: The moment by which this thread's work must be done, on time.monotonic()'s clock.
_moment: ContextVar[float | None] = ContextVar("deadline", default=None)


class Overdue(psycopg.OperationalError):
    """The database did not answer in time."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what runs inside this long; a shorter time that was given outside still holds."""
    token = _moment.set(time.monotonic() + left(seconds))
    try:
        yield
    finally:
        _moment.reset(token)


def left(most: float) -> float:
    """Seconds until the deadline: `most` where there is none or it is later, never below 0."""
    moment = _moment.get()
    return most if moment is None else min(most, max(0.0, moment - time.monotonic()))


def forget_connections(database: BaseDatabaseWrapper) -> None:
    """One connection is broken, so the others are: the database was away for all of them.

    Closes this thread's, and those in the pool.
    """
    database.close()
    if pool := getattr(database, "pool", None):
        pool.drain()


class PunctualConnection(psycopg.Connection[tuple[object, ...]]):
    """Gives up a statement when the deadline of the thread that waits for it has come.

    Timeouts of the server's need a server that runs and is heard. Raises Overdue, and
    the connection is closed: what it was doing may or may not have been committed.
    """

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        moment = _moment.get()
        if moment is None:
            return super().wait(gen, interval, timeout)
        seconds = left(float("inf") if timeout is None else timeout)
        try:
            return super().wait(gen, interval, seconds)
        except psycopg.OperationalError as error:
            if left(1.0) > 0:
                raise
            self.close()
            raise Overdue("no answer in time; the connection is given up") from error
