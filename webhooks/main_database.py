"""The main database as the pipeline meets it: tried again, given up on, found again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from circuitbreaker import CircuitBreaker
from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, connection
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    wait_exponential_jitter,
)

import deadline
import metering
from faults import DatabaseUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds one transaction may take, tries and waits between them included.
TRANSACTION_SECONDS: float = 0.8 * settings.ANSWER_SECONDS

#: And at the most, where nobody waits for it.
LONGEST_SECONDS = 60.0

#: A lock was not had in time: lock_not_available, as PostgreSQL names it.
_LOCKED = "55P03"

#: The database runs and is heard; somebody else was in the way: serialization_failure,
#: deadlock_detected too.
_IN_THE_WAY = frozenset({"40001", "40P01", _LOCKED})

#: We said nothing for too long, in the middle of a transaction, and were cut off:
#: idle_in_transaction_session_timeout, transaction_timeout. psycopg counts them among the
#: internal errors.
_CUT_OFF = frozenset({"25P03", "25P04"})

#: A statement took too long: query_canceled. Another try would too.
_CANCELED = frozenset({"57014"})


def is_unreachable(error: BaseException) -> bool:
    """Whether the database is away, or as good as: it says nothing."""
    return _ends_connection(error) and (
        isinstance(error.__cause__, deadline.Unheard) or not took_too_long(error)
    )


def took_too_long(error: BaseException) -> bool:
    """Whether a transaction did not fit into its time; with less to do, or more time, it may.

    Where the database said nothing, nobody knows: then it is unreachable as well.
    """
    return isinstance(error.__cause__, deadline.Overdue) or _sqlstate(error) in _CUT_OFF | _CANCELED


def _ends_connection(error: BaseException) -> bool:
    return _is_about_reaching(error) and _sqlstate(error) not in _IN_THE_WAY


def _is_about_reaching(error: BaseException) -> bool:
    return isinstance(error, (OperationalError, InterfaceError)) or _sqlstate(error) in _CUT_OFF


def _sqlstate(error: BaseException) -> str | None:
    """The database's own word for what is wrong; None where it did not come to say it."""
    return getattr(error.__cause__, "sqlstate", None)


class _Breaker(CircuitBreaker):  # type: ignore[misc]  # It has no types.
    """Has its state measured as well: every change of it goes through these two."""

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Literal[False]:
        super().__exit__(kind, error, trace)
        if self.opened:
            metering.breaker_open_until.set(time.time() + settings.BREAKER_RESET_SECONDS)
        return False

    def reset(self) -> None:
        if not self.closed:
            metering.breaker_open_until.set(0)
        super().reset()


#: Open: the database is taken for away, and nothing is asked of it for a while.
breaker = _Breaker(
    failure_threshold=settings.BREAKER_FAILURES,
    recovery_timeout=settings.BREAKER_RESET_SECONDS,
    expected_exception=lambda kind, error: is_unreachable(error),
    name="main database",
)

#: Held by the one thread that asks whether the database is back.
_asking = threading.Lock()


def transact(work: Callable[[], T], *, seconds: float = TRANSACTION_SECONDS) -> T:
    """Run a transaction on the main database; tried again where that can help.

    Only what passes by itself is tried again: a connection that was cut, a deadlock, a
    lock that was not had in time; no try begins later than TRANSACTION_SECONDS after the first,
    and all of them end within `seconds`, or by the deadline of the request if that is sooner.
    Raises DatabaseUnavailable where the database is known to be away, and else what the last
    try raised. `work` may have had its effect although an exception tells otherwise (a commit
    whose answer was lost).
    """
    _check_health()
    with deadline.within(seconds), breaker:
        try:
            return _retrying(lambda: _timed(work, seconds))
        except Exception as error:
            if _ends_connection(error):
                connection.close()
            told = str(error).strip() or type(error.__cause__).__name__
            if _sqlstate(error) in _IN_THE_WAY:
                logger.warning("Given up, for something is in the way: %s", told)
            elif took_too_long(error) and not is_unreachable(error):
                logger.warning("Given up, for it takes longer than %.1f seconds: %s", seconds, told)
            raise


def _timed(work: Callable[[], T], seconds: float) -> T:
    if seconds > TRANSACTION_SECONDS:
        # So long it is not waited for one that is away, or hangs.
        ask(TRANSACTION_SECONDS / 2)
    with metering.main_transaction.time():
        return work()


def ask(patience: float) -> None:
    """Ask the database for its answer within so many seconds; raises what asking raises."""
    try:
        with deadline.within(patience), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        connection.close()
        raise


def _check_health() -> None:
    """Raise DatabaseUnavailable while the database is away.

    What the last transactions met is known, so nothing is asked while they succeed. Once
    they have failed, one thread at a time asks; the others do not wait for its answer.
    """
    if breaker.closed:
        return
    if breaker.opened or not _asking.acquire(blocking=False):
        raise DatabaseUnavailable
    try:
        with breaker:
            deadline.forget_connections(connection)
            ask(TRANSACTION_SECONDS / 2)
    except (OperationalError, InterfaceError) as error:
        raise DatabaseUnavailable from error
    finally:
        _asking.release()
    logger.info("The database is back")


def _may_pass(error: BaseException) -> bool:
    return (
        _is_about_reaching(error)
        and _sqlstate(error) not in _CANCELED
        and not isinstance(error.__cause__, deadline.Overdue)
    )


def _is_too_late(state: RetryCallState) -> bool:
    gone = state.seconds_since_start or 0.0
    left = deadline.left(TRANSACTION_SECONDS - gone)
    if _sqlstate(_error_of(state)) == _LOCKED and left <= 2 * gone:
        # Others wait with it; and in the end the deadline would come first, and the database
        # seem to be away.
        return True
    return left <= state.upcoming_sleep


def _start_afresh(state: RetryCallState) -> None:
    error = _error_of(state)
    logger.info("Trying again: %s", str(error).strip())
    metering.retries.inc()
    if _ends_connection(error):
        deadline.forget_connections(connection)


def _error_of(state: RetryCallState) -> BaseException:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert error is not None
    return error


_retrying = Retrying(
    retry=retry_if_exception(_may_pass),
    wait=wait_exponential_jitter(multiplier=0.02, max=0.25, jitter=0.03),
    stop=_is_too_late,
    before_sleep=_start_afresh,
    reraise=True,
)
