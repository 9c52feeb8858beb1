"""How long the work at hand may still take, and connections that keep to it.

On the ground floor, beside the faults: whoever promises an answer in time says so
here, and whatever waits on its behalf finds it here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TypeVar

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.abc import PQGen

T = TypeVar("T")

#: How much of its time a database that is there may let go by without a word. It is told to
#: give up what takes longer, and to say so.
SILENCE_SHARE = 0.75


class _Deadline(NamedTuple):
    #: By when this thread's work must be done, on time.monotonic()'s clock.
    moment: float
    #: Seconds it was given.
    seconds: float


_deadline: ContextVar[_Deadline | None] = ContextVar("deadline", default=None)


class Overdue(psycopg.OperationalError):
    """The database did not answer in time."""


class Unheard(Overdue):
    """Nor had it said anything for so long that it cannot be there, or hangs."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what runs inside this long; a shorter time that was given outside still holds."""
    given = left(seconds)
    token = _deadline.set(_Deadline(time.monotonic() + given, given))
    try:
        yield
    finally:
        _deadline.reset(token)


def left(most: float) -> float:
    """Seconds until the deadline: `most` where there is none or it is later, never below 0."""
    deadline = _deadline.get()
    return most if deadline is None else min(most, max(0.0, deadline.moment - time.monotonic()))


def notices_silence(database: BaseDatabaseWrapper) -> bool:
    """Whether PostgreSQL notices a client that falls silent amid what it is to be told.

    Until a statement, or several that go together, are complete, it counts the client as busy and
    not as idle; only `transaction_timeout`, since PostgreSQL 17, ends that.
    """
    return database.get_database_version() >= (17,)


def as_setting(seconds: float) -> str:
    """So much time as PostgreSQL's settings have it, of which 0 would be no limit."""
    return f"{max(1, round(seconds * 1000))}ms"


def forget_connections(database: BaseDatabaseWrapper) -> None:
    """One connection is broken, so the others are: the database was away for all of them.

    Closes this thread's, and those in the pool.
    """
    database.close()
    if pool := getattr(database, "pool", None):
        pool.drain()


class PunctualConnection(psycopg.Connection[tuple[object, ...]]):
    """Gives up a statement when the deadline of the thread that waits for it has come.

    Timeouts of the server's need a server that runs and is heard. Raises Overdue (Unheard
    where that is likely what is wrong), and the connection is closed: what it was doing may or
    may not have been committed.
    """

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        deadline = _deadline.get()
        if deadline is None:
            return super().wait(gen, interval, timeout)
        seconds = left(float("inf") if timeout is None else timeout)
        try:
            return super().wait(gen, interval, seconds)
        except psycopg.OperationalError as error:
            if left(1.0) > 0:
                raise
            self.close()
            is_unheard = seconds >= SILENCE_SHARE * deadline.seconds
            late = Unheard if is_unheard else Overdue
            raise late("no answer in time; the connection is given up") from error
