"""Whose turn it is to write to the log, decided fairly between processes."""

from __future__ import annotations

import fcntl
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from django.db import InterfaceError, OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import LockNotAvailable

from deadline import Overdue, as_setting, forget_connections, notices_silence

#: Seconds a caller waits for its write; TradingView itself waits for 3.
PATIENCE: Final = 2.0

#: An advisory lock of the PostgreSQL that holds the log, if it does: "tlog" in ASCII.
POSTGRES_TURN: Final = 0x746C6F67

#: Seconds that whoever has the turn may say nothing: so few that those who wait for it
#: meanwhile are still written in time.
_SILENCE_SECONDS: Final = PATIENCE / 2

#: How much of a transaction's time may go by before the turn, or another lock, is had: who
#: waits for it is then told why it was not.
_LOCK_SHARE: Final = 0.9

#: Another connection would not have its turn sooner.
_TOO_LATE: Final = (LockNotAvailable, Overdue)

#: On disk before it is answered, whatever the server, the role or the database say; what
#: makes it wait for more than that (remote_apply) stays.
_DURABLE: Final = "CASE current_setting({0}) WHEN 'off' THEN 'on' ELSE current_setting({0}) END"
_SYNCHRONOUS: Final = {
    True: _DURABLE.format("'synchronous_commit'"),
    # A mark that an entry is settled may be lost with the power: replay is idempotent.
    False: "'off'",
}


class Turnstile:
    """A lock between processes in which nobody is overtaken for long.

    SQLite's own lock is taken by whoever happens to try at the right moment; a
    process that sleeps between its tries can lose for seconds. Here a writer
    first holds the turnstile, then waits for the lock itself. Whoever has just
    written and wants to write again finds the turnstile held by the one who
    waits, and so comes after it.

    Both locks are flocks: they vanish with their process, however it dies.
    """

    def __init__(self, path: Path) -> None:
        self._turnstile = os.open(f"{path}-turnstile", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this process's turn. One thread of a process at a time may call it."""
        fcntl.flock(self._turnstile, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._turnstile, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._turnstile)
        os.close(self._lock)


@contextmanager
def turn_on_postgresql(
    connection: BaseDatabaseWrapper, *, seconds: float, durable: bool
) -> Iterator[None]:
    """A transaction that has its turn (`take_turn`); a connection that was cut is replaced."""
    with ExitStack() as turn:
        begin = partial(_in_turn, connection, seconds=seconds, durable=durable)
        try:
            turn.enter_context(begin())
        except (OperationalError, InterfaceError) as error:
            if isinstance(error.__cause__, _TOO_LATE):
                raise
            # It was cut since it was last used, and nothing has been written by it yet.
            forget_connections(connection)
            turn.enter_context(begin())
        yield


@contextmanager
def _in_turn(connection: BaseDatabaseWrapper, *, seconds: float, durable: bool) -> Iterator[None]:
    with transaction.atomic(using=connection.alias):
        take_turn(connection, seconds=seconds, durable=durable)
        yield


def take_turn(connection: BaseDatabaseWrapper, *, seconds: float, durable: bool) -> None:
    """Wait for this transaction's turn on a PostgreSQL; it ends with the transaction.

    PostgreSQL ends the transaction itself where it hears nothing of us for too long, so that a
    host which vanished keeps no other from its turn; and where it takes more than `seconds`, its
    turn included, or waits for locks for most of that. `math.inf`: it takes as long as it takes.
    """
    limits = {"idle_in_transaction_session_timeout": _SILENCE_SECONDS}
    if seconds < math.inf:
        limits["lock_timeout"] = _LOCK_SHARE * seconds
        if notices_silence(connection):
            limits["transaction_timeout"] = seconds
    chosen = [f"set_config('{name}', '{as_setting(most)}', true)" for name, most in limits.items()]
    chosen.append(f"set_config('synchronous_commit', {_SYNCHRONOUS[durable]}, true)")
    with connection.cursor() as cursor:
        # In this order, and at once: the wait for the turn has its limit too, and nobody
        # vanishes between the turn and the limits.
        cursor.execute(f"SELECT {', '.join(chosen)}, pg_advisory_xact_lock({POSTGRES_TURN})")
