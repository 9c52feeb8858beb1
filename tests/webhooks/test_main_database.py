"""Transactions on the main database: what is tried again, what is not, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import psycopg
import pytest
from django.db import DatabaseError, OperationalError, connection, transaction

import deadline
from faults import DatabaseUnavailable
from tests.out_of_reach import far_away
from tests.server import databases_of_this_run
from webhooks.main_database import (
    LONGEST_SECONDS,
    TRANSACTION_SECONDS,
    breaker,
    is_unreachable,
    took_too_long,
    transact,
)
from webhooks.standing import look

pytestmark = pytest.mark.usefixtures("databases")


@pytest.fixture(autouse=True)
def closed_breaker() -> Iterator[None]:
    breaker.reset()
    yield
    breaker.reset()
    connection.close()


def failing(sqlstate: str, times: int) -> tuple[Callable[[], str], list[float]]:
    """Work that PostgreSQL itself fails with this error, this often, and when it was tried."""
    tried: list[float] = []

    @transaction.atomic
    def work() -> str:
        tried.append(time.monotonic())
        if len(tried) <= times:
            with connection.cursor() as cursor:
                cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$")
        return "done"

    return work, tried


@pytest.mark.parametrize(
    "sqlstate",
    [
        pytest.param("40001", id="serialization failure"),
        pytest.param("40P01", id="deadlock"),
        pytest.param("55P03", id="lock timeout"),
        pytest.param("57P01", id="shut down by its administrator"),
        pytest.param("08006", id="connection lost"),
        pytest.param("25P03", id="cut off in a transaction"),
    ],
)
def test_what_passes_by_itself_is_tried_again(sqlstate: str) -> None:
    work, tried = failing(sqlstate, times=3)
    assert transact(work) == "done"
    assert len(tried) == 4
    assert breaker.failure_count == 0


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [("57014", OperationalError), ("23505", DatabaseError), ("22012", DatabaseError)],
)
def test_what_would_fail_again_is_not(sqlstate: str, kind: type[Exception]) -> None:
    work, tried = failing(sqlstate, times=1)
    with pytest.raises(kind):
        transact(work)
    assert len(tried) == 1


def test_waits_grow_and_end_by_the_deadline() -> None:
    work, tried = failing("40001", times=1000)
    begun = time.monotonic()
    with deadline.within(1.0), pytest.raises(OperationalError):
        transact(work)
    assert time.monotonic() - begun < 1.2
    waits = [later - earlier for earlier, later in pairwise(tried)]
    assert len(waits) >= 3
    assert waits[0] < 0.15 < max(waits)


def test_a_lock_is_not_waited_for_into_the_deadline() -> None:
    """The database would seem to be away, while it is a lock that somebody else holds."""
    with psycopg.connect(databases_of_this_run()["DATABASE_URL"]) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('refused', 0))")
        with deadline.within(0.4), pytest.raises(OperationalError, match="lock timeout") as raised:
            transact(transaction.atomic(lambda: hold("book", with_refused=True)))
    assert not is_unreachable(raised.value)
    assert breaker.failure_count == 0


def test_somebody_in_the_way_does_not_open_the_breaker() -> None:
    for _ in range(10):
        with deadline.within(0.05), pytest.raises(OperationalError):
            transact(failing("40001", times=1000)[0])
    assert breaker.closed


def test_less_time_than_there_is_to_do_does_not_open_the_breaker() -> None:
    """The database is heard all the while."""

    def ask_for_ever() -> None:
        with connection.cursor() as cursor:
            while True:
                cursor.execute("SELECT pg_sleep(0.02)")

    for _ in range(6):
        with deadline.within(0.2), pytest.raises(OperationalError) as raised:
            transact(ask_for_ever)
        assert took_too_long(raised.value) and not is_unreachable(raised.value)
    with pytest.raises(OperationalError) as raised:
        transact(failing("57014", times=1)[0])
    assert took_too_long(raised.value) and not is_unreachable(raised.value)
    assert breaker.failure_count == 0


def test_a_database_that_hangs_opens_the_breaker() -> None:
    with far_away() as way:
        assert transact(lambda: select(1)) == 1
        way.stall(requests=True)
        while breaker.closed:
            with deadline.within(0.3), pytest.raises(OperationalError) as raised:
                transact(lambda: select(1))
            assert is_unreachable(raised.value)


def test_nobody_waits_for_long_for_a_database_that_hangs() -> None:
    tried: list[int] = []
    with far_away() as way:
        assert transact(lambda: select(1)) == 1
        way.stall(requests=True)
        begun = time.monotonic()
        with pytest.raises(OperationalError) as raised:
            transact(lambda: tried.append(select(1)), seconds=LONGEST_SECONDS)
        assert time.monotonic() - begun < TRANSACTION_SECONDS
    assert is_unreachable(raised.value) and breaker.failure_count == 1
    assert tried == []


def test_who_has_longer_does_not_try_again_for_longer() -> None:
    begun = time.monotonic()
    with pytest.raises(OperationalError):
        transact(failing("40001", times=10_000)[0], seconds=LONGEST_SECONDS)
    assert time.monotonic() - begun < 2 * TRANSACTION_SECONDS


def select(number: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [number])
        return int(cursor.fetchone()[0])


def test_a_database_that_is_away_is_left_alone_and_found_again() -> None:
    away, tried = failing("57P03", times=1000)
    while breaker.closed:
        with deadline.within(0.05), pytest.raises(OperationalError):
            transact(away)
    asked = len(tried)
    with pytest.raises(DatabaseUnavailable):
        transact(away)
    assert len(tried) == asked
    # Its time is over: the next one who comes asks, and finds it there.
    breaker._opened -= breaker._recovery_timeout
    assert transact(lambda: "done") == "done"
    assert breaker.closed


def test_a_statement_is_given_up_at_the_deadline() -> None:
    """Without any help of the server's, which may be as far away as it likes."""

    def sleep(seconds: float) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [seconds])

    begun = time.monotonic()
    with deadline.within(0.3), pytest.raises(OperationalError) as raised:
        transact(lambda: sleep(3))
    assert time.monotonic() - begun < 2
    assert isinstance(raised.value.__cause__, deadline.Overdue)
    transact(lambda: sleep(0))


def test_who_vanishes_in_a_transaction_does_not_keep_its_book() -> None:
    with (
        psycopg.connect(databases_of_this_run()["DATABASE_URL"]) as other,
        pytest.raises(DatabaseError, match=r"(idle-in-)?transaction timeout") as raised,
        transaction.atomic(),
    ):
        assert hold("book") == {"book"}
        # We say nothing more; the database ends our transaction, and so the other's wait.
        other.execute("SET lock_timeout = '10s'")
        other.execute("SELECT pg_advisory_lock(hashtextextended('book', 0))")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    assert took_too_long(raised.value) and not is_unreachable(raised.value)


def test_a_book_that_is_held_is_not_waited_for() -> None:
    with psycopg.connect(databases_of_this_run()["DATABASE_URL"]) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('book', 0))")
        with transaction.atomic():
            assert hold("book", "another") == {"another"}


@pytest.mark.parametrize("seconds", [0.4, LONGEST_SECONDS])
def test_who_waits_for_a_lock_gives_up(seconds: float) -> None:
    with psycopg.connect(databases_of_this_run()["DATABASE_URL"]) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('refused', 0))")
        begun = time.monotonic()
        with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
            hold("book", with_refused=True, seconds=seconds)
        assert 0.1 < time.monotonic() - begun < 2


def hold(*books: str, with_refused: bool = False, seconds: float = 0.4) -> set[str]:
    """Lock books as the pipeline does, giving up what takes longer than 0.3 seconds."""
    return look(books, [], [], with_refused=with_refused, seconds=seconds).ours
