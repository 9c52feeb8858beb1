"""What does not fit into a transaction's time: fewer entries, or more time, until it does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from django.db import connection

import deadline
from faults import DatabaseUnavailable, Queued
from positions.models import Lot
from tests.alerts import Poster
from tests.out_of_reach import far_away
from tests.webhooks.test_runs import entries_of
from wal.models import Entry
from webhooks import settler as settling
from webhooks.applying import apply
from webhooks.draining import drain_once
from webhooks.main_database import TRANSACTION_SECONDS, breaker
from webhooks.models import WebhookLog
from webhooks.outcome import Outcome
from webhooks.pipeline import hand_over, outcome_of
from webhooks.turns import MOST_OF_A_BOOK
from webhooks.wanted import Wanted

#: A little more than a transaction may take.
TOO_LONG = 1.1 * TRANSACTION_SECONDS


@pytest.fixture(autouse=True)
def a_settler_of_its_own(databases: None) -> Iterator[None]:
    """It has found out nothing yet of what has the time."""
    breaker.reset()
    settling.stop_settling()
    settling._settler = None
    yield
    settling.stop_settling()
    settling._settler = None


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries went into each transaction."""
    tried: list[int] = []

    def told(wanted: Sequence[Wanted]) -> list[Outcome | None]:
        tried.append(len(wanted))
        return apply(wanted)

    monkeypatch.setattr(settling, "apply", told)
    return tried


@contextmanager
def taking(seconds: float, symbol: str) -> Iterator[None]:
    """Have PostgreSQL take that long for the effect of a symbol's alert."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER dawdling BEFORE INSERT ON webhook_logs FOR EACH ROW "
            f"WHEN (NEW.symbol = '{symbol}') EXECUTE FUNCTION dawdle()"
        )
        try:
            yield
        finally:
            cursor.execute("DROP FUNCTION dawdle() CASCADE")


def drained() -> int:
    """How many entries come to their end now; none of them is waited for for ever."""
    with deadline.within(20):
        return drain_once()


def backlog(number: int) -> list[Entry]:
    """Entries of one book, in and out by turns."""
    return entries_of([({"action": ("buy", "exit")[place % 2]}, "") for place in range(number)])


def test_a_backlog_of_one_book_drains_over_a_long_way(databases: None, sizes: list[int]) -> None:
    # An alert's effect takes one trip, where it makes trades two.
    trips = 1.5 * MOST_OF_A_BOOK
    half = MOST_OF_A_BOOK // 2
    entries = backlog(3 * half)
    with far_away(1.05 * TRANSACTION_SECONDS / trips):
        assert drained() == 3 * half
    assert sizes == [MOST_OF_A_BOOK, half, half, half], "what has the time is found once"
    assert breaker.failure_count == 0, "it is there, and was heard"
    applied = WebhookLog.objects.order_by("id").values_list("wal_id", flat=True)
    assert list(applied) == [entry.pk for entry in entries]

    # The way is short again.
    backlog(3 * half)
    assert drained() == 3 * half
    assert sizes[4:] == [half, MOST_OF_A_BOOK]


def test_who_takes_too_long_takes_no_neighbour_along_and_has_the_time_in_the_end(
    databases: None,
) -> None:
    [slow, *others] = [
        entry
        for symbol in ("SLOW", "ONE", "TWO")
        for entry in entries_of([({"symbol": symbol}, "")])
    ]
    with taking(TOO_LONG, "SLOW"):
        first, *waiting = [hand_over(entry, patience=20) for entry in [slow, *others]]
        assert [outcome_of(each).log.action for each in waiting] == ["opened"] * 2
        with pytest.raises(Queued, match="more time") as queued:
            outcome_of(first)
        assert not isinstance(queued.value, DatabaseUnavailable)
        assert breaker.failure_count == 0, "it is there, and was heard"
        assert drained() == 1
    assert Lot.objects.filter(symbol="SLOW").count() == 1


def test_an_alert_that_takes_too_long_is_answered_and_has_more_time_once_nobody_waits(
    post: Poster,
) -> None:
    with taking(TOO_LONG, "SLOW"):
        answer = post(symbol="SLOW")
        assert (answer.http, answer["status"]) == (202, "queued")
        assert "more time" in answer["error"]["message"]
        assert drained() == 1
    assert Lot.objects.filter(symbol="SLOW").count() == 1
