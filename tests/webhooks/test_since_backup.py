"""After an older main database was put back, what the log knows since is applied once more."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pytest_django import Settings

from positions.models import Lot
from tests.alerts import Poster
from tests.factories import StrategyFactory
from tests.webhooks.test_laws import empty_tables
from trades.models import Strategy, Trade
from wal.models import Entry
from webhooks import trail
from webhooks.models import WebhookLog
from webhooks.reconcile import find
from webhooks.replay import Choice, replay
from webhooks.since_backup import set_back, settled_since_backup


def sides(post: Poster, hour: int, price: int) -> None:
    """A trade that gains 10, at its hour."""
    post(price=str(price), time=f"2026-01-05T{hour}:00:00Z")
    post(action="sell", price=str(price + 10), time=f"2026-01-05T{hour}:30:00Z")


def marks() -> list[str]:
    return list(Entry.objects.order_by("id").values_list("status", flat=True))


def put_back_nothing() -> None:
    """Let the main database be the one of a backup from before the first alert."""
    empty_tables()
    set_back(settled_since_backup())


def test_an_alert_that_comes_first_is_applied_after_what_was_set_back(post: Poster) -> None:
    """The server was started, and nobody ran anything before."""
    for hour in (10, 11, 12):
        sides(post, hour, 100 + hour)
    put_back_nothing()
    post(price="120", time="2026-01-05T15:00:00Z")
    assert set(marks()) == {"completed"}
    assert [trade.pnl for trade in Trade.objects.all()] == [Decimal(10)] * 3
    assert Lot.objects.get(status="open").entry_price == 120
    assert find() == []
    assert list(trail.verify()) == []


def test_everything_comes_to_what_it_came_to(post: Poster, settings: Settings) -> None:
    settings.PARK_SECONDS = 0
    sides(post, 10, 100)
    post(action="exit", price="90", time="2026-01-05T11:00:00Z")
    post(action="nonsense")
    sides(post, 12, 100)
    post(action="sell", price="110", time="2026-01-05T12:30:00Z")
    before = marks()
    assert before == [*["completed"] * 2, *["failed"] * 2, *["completed"] * 2, "duplicate"]
    put_back_nothing()
    assert set(marks()) == {"pending"}
    list(replay(Choice()))
    assert marks() == before
    assert Trade.objects.count() == 2
    assert find() == []


def test_what_the_backup_has_is_left_alone(post: Poster) -> None:
    sides(post, 10, 100)
    post(action="nonsense")
    post(action="exit", symbol="OTHER")
    assert post(time="2026-01-05T10:00:00Z")["status"] == "duplicate"
    assert settled_since_backup() == []


@pytest.mark.parametrize("known", [True, False])
def test_of_a_book_only_what_came_after_what_is_known(post: Poster, known: bool) -> None:
    """An alert that was lost otherwise would be netted against what came after it."""
    lost, later = post(symbol="BTC"), post(symbol="BTC", time="2026-01-05T15:00:00Z")
    of_another = post(symbol="ETH")
    Lot.objects.all().delete()
    gone = [lost, of_another] if known else [lost, later, of_another]
    WebhookLog.objects.filter(pk__in=[each["webhook_log_id"] for each in gone]).delete()
    of_btc = [] if known else [lost["wal_id"], later["wal_id"]]
    assert settled_since_backup() == [*of_btc, of_another["wal_id"]]


def test_what_was_let_through_or_given_up_since_is_marked_anew(post: Poster) -> None:
    """Its row is the one of then, in which it waits."""
    exits = post(action="exit", price="110"), post(action="exit", price="110", symbol="OTHER")
    rows = list(WebhookLog.objects.values())
    entered = post()
    assert Trade.objects.exists()
    Entry.objects.filter(pk=exits[1]["wal_id"]).update(status="failed")
    empty_tables()
    WebhookLog.objects.bulk_create([WebhookLog(**row) for row in rows])
    waiting = [each["wal_id"] for each in (*exits, entered)]
    assert settled_since_backup() == waiting
    set_back(waiting)
    list(replay(Choice()))
    assert marks() == ["completed", "parked", "completed"]
    assert Trade.objects.get().pnl == 10


def test_what_a_strategy_switched_off_refused_is_refused_again(post: Poster) -> None:
    """When it was switched off was lost with the database."""
    StrategyFactory(name="Alpha", enabled=False)
    refused = post()
    assert refused.code == "STRATEGY_DISABLED"
    put_back_nothing()
    # The database is away for a while, which is noted over what was noted before.
    Entry.objects.update(last_error="DATABASE_UNAVAILABLE: It is applied later.")
    list(replay(Choice()))
    assert (marks(), Lot.objects.count()) == (["failed"], 0)
    assert Strategy.objects.get().enabled
    # Asked for, it is tried like any other.
    list(replay(Choice(failed=True)))
    assert (marks(), Lot.objects.count()) == (["completed"], 1)


def test_what_was_tried_again_since_with_success_is_so_again(post: Poster) -> None:
    """Its row is the one of then, in which it failed."""
    strategy = StrategyFactory(name="Alpha", enabled=False)
    refused = post()
    assert refused.code == "STRATEGY_DISABLED"
    rows = list(WebhookLog.objects.values())
    Strategy.objects.update(enabled=True)
    list(replay(Choice(failed=True)))
    post(action="exit", price="110", time="2026-01-05T15:00:00Z")
    assert Trade.objects.get().pnl == 10
    empty_tables()
    WebhookLog.objects.bulk_create([WebhookLog(**row) for row in rows])
    StrategyFactory(name=strategy.name)
    set_back(settled_since_backup())
    list(replay(Choice()))
    assert marks() == ["completed", "completed"]
    assert Trade.objects.get().pnl == 10
    assert find() == []
    assert list(trail.verify()) == []
