"""An export is compared with the right book, in the right zone; what is missing has a cause."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.alerts import Poster, alert
from tests.factories import EntryFactory, RefusalFactory
from tests.trades.demo_list import demo_list
from tests.trades.export_files import Form, Listed, as_csv, rows
from tradelog.session import ALERTS
from trades.corrections import correct
from trades.exports.exported import Export
from trades.exports.reader import read_export
from trades.models import Strategy, Trade
from wal.models import Entry
from webhooks.export_causes import CauseKind
from webhooks.export_comparison import Choice, Comparison, NotComparable, compare
from webhooks.models import WebhookLog

local = datetime.fromisoformat


def export_of(*trades: Listed, form: Form | None = None) -> Export:
    return read_export(as_csv(rows(trades, form or Form())), "list.csv")


def listed(number: int, entered: str, left: str, **changes: Any) -> Listed:
    """A long trade of one contract on one day, from 100 to 110."""
    told = {
        "direction": "long",
        "quantity": Decimal(1),
        "entry_price": Decimal(100),
        "exit_price": Decimal(110),
        "pnl": Decimal(10),
        **changes,
    }
    day = "2026-01-05"
    return Listed(
        number, entry_time=local(f"{day} {entered}"), exit_time=local(f"{day} {left}"), **told
    )


FIRST = listed(1, "09:00", "10:00")
SECOND = listed(2, "14:30", "15:00", entry_price=Decimal("123.5"))


def post_entry(post: Poster, trade: Listed = SECOND, **changes: Any) -> Any:
    told = {
        "price": str(trade.entry_price),
        "quantity": str(trade.quantity),
        "time": trade.entry_time.replace(tzinfo=UTC).isoformat(),
        "action": "buy" if trade.direction == "long" else "sell",
        **changes,
    }
    return post(**told)


def post_exit(post: Poster, trade: Listed = SECOND, **changes: Any) -> Any:
    told = {
        "price": str(trade.exit_price),
        "quantity": str(trade.quantity),
        "time": trade.exit_time.replace(tzinfo=UTC).isoformat(),
        "action": "sell" if trade.direction == "long" else "buy",
        **changes,
    }
    return post(**told)


def post_trade(post: Poster, trade: Listed, **changes: Any) -> None:
    assert post_entry(post, trade, **changes)["status"] == "processed"
    assert post_exit(post, trade, **changes)["status"] == "processed"


@pytest.fixture
def first(post: Poster) -> Poster:
    """The first trade is here; the second one only in the export."""
    post_trade(post, FIRST)
    return post


def both(**choice: Any) -> Comparison:
    return compare(export_of(FIRST, SECOND), Choice(**choice))


# The demo.


def test_the_demo_matches_whole(post: Poster) -> None:
    for line in ALERTS.read_text().splitlines():
        assert post(line)["status"] == "processed"
    comparison = compare(export_of(*demo_list()), Choice())
    assert comparison.is_clean
    assert (comparison.setting.strategy.name, comparison.setting.symbol) == (
        "Monthly pyramid",
        "BITSTAMP:BTCUSD",
    )
    assert comparison.setting.zone_name == "UTC" and comparison.setting.zone_is_sure
    # 22 rows are 21 lots: one of ten was closed by two orders of one bar.
    assert (len(demo_list()), len(comparison.matched)) == (22, 21)
    assert Trade.objects.count() == 21


def test_the_demo_in_the_charts_zone(post: Poster) -> None:
    for line in ALERTS.read_text().splitlines():
        post(line)
    chart = [
        Listed(
            **{
                **vars(trade),
                "entry_time": trade.entry_time + timedelta(hours=9),
                "exit_time": trade.exit_time + timedelta(hours=9),
            }
        )
        for trade in demo_list()
    ]
    comparison = compare(export_of(*chart), Choice())
    assert comparison.is_clean and len(comparison.matched) == 21
    assert comparison.setting.zone_name == "Asia/Tokyo"


# Which book.


def test_the_only_book_that_fits_is_used(first: Poster) -> None:
    post_trade(first, listed(9, "11:00", "12:00", entry_price=Decimal(7)), strategy="Beta")
    post_trade(first, listed(9, "11:00", "12:00", entry_price=Decimal(8)), symbol="OTHER")
    comparison = both()
    assert (comparison.setting.strategy.name, comparison.setting.symbol) == (
        "Alpha",
        "BINANCE:BTCUSDT",
    )
    assert not comparison.setting.book_was_named


def test_two_books_that_fit_are_to_be_named(first: Poster) -> None:
    post_trade(first, FIRST, strategy="Beta")
    with pytest.raises(NotComparable, match=r"several books: Alpha on .*\(1\), Beta on .*\(1\)"):
        both()
    assert both(strategy="Beta").setting.strategy.name == "Beta"
    post_trade(first, SECOND, strategy="Beta")
    # Twice as well is told apart.
    assert both().setting.strategy.name == "Beta"


def test_no_book_fits(first: Poster) -> None:
    other = listed(1, "09:00", "10:00", entry_price=Decimal(55))
    with pytest.raises(NotComparable, match="No trade here is like one of the export's"):
        compare(export_of(other), Choice())
    with pytest.raises(NotComparable, match="There is no strategy Nobody"):
        both(strategy="Nobody")
    with pytest.raises(NotComparable, match="The list has no trades"):
        compare(export_of(), Choice())
    named = compare(export_of(other), Choice("Alpha", "BINANCE:BTCUSDT", "UTC"))
    # Named, it is told what differs: at the same times, at another price.
    assert [pair.ours.trades for pair in named.differing] == [(Trade.objects.get().pk,)]


def test_an_unknown_zone(first: Poster) -> None:
    with pytest.raises(NotComparable, match="'Atlantis' is no time zone"):
        both(time_zone="Atlantis")


# What is compared.


def test_what_differs_and_what_is_missing_there(first: Poster) -> None:
    post_trade(first, SECOND, price="123.6")
    extra = listed(9, "12:00", "12:30", entry_price=Decimal(90))
    post_trade(first, extra)
    comparison = both()
    (pair,) = comparison.differing
    assert [one.field for one in pair.differences] == ["entry_price", "exit_price"]
    assert pair.differences[0].by == Decimal("0.1")
    assert [group.entry_price for group in comparison.missing_there] == [90]
    assert not comparison.is_clean and not comparison.missing_here


def test_what_is_from_another_time_is_not_missing_there(first: Poster) -> None:
    post_trade(first, listed(8, "07:00", "08:00"))
    post_trade(first, listed(9, "16:00", "17:00"))
    comparison = compare(export_of(FIRST), Choice())
    assert comparison.is_clean
    assert len(comparison.outside) == 2


def test_a_trade_that_was_open_when_the_list_was_made(first: Poster) -> None:
    """Here it was closed since; as of the export it is the same."""
    then = listed(2, "09:30", "10:30", entry_price=Decimal(50), is_open=True)
    post_trade(first, listed(2, "09:30", "12:00", entry_price=Decimal(50)))
    assert compare(export_of(FIRST, then), Choice()).is_clean
    post_entry(first, listed(3, "10:15", "12:00", entry_price=Decimal(60)))
    now = listed(3, "10:15", "10:30", entry_price=Decimal(60), is_open=True)
    comparison = compare(export_of(FIRST, then, now), Choice())
    assert comparison.is_clean and len(comparison.matched) == 3
    missing = compare(export_of(FIRST, then), Choice()).missing_there
    assert [group.entry_price for group in missing] == [60]


def test_corrections_count(first: Poster) -> None:
    post_trade(first, SECOND, quantity="2")
    trade = Trade.objects.latest("id")
    assert [pair.differences[0].field for pair in both().differing] == ["quantity"]
    user = User.objects.create_superuser("trader")
    correct(trade, user=user, reason="It was one.", quantity=Decimal(1))
    assert both().is_clean
    correct(trade, user=user, reason="It was none.", quantity=Decimal(0))
    assert [missing.theirs.trades for missing in both().missing_here] == [(2,)]


# Why a trade is missing here.


def cause() -> Any:
    comparison = both(strategy="Alpha", symbol="BINANCE:BTCUSDT", time_zone="UTC")
    (missing,) = comparison.missing_here
    assert missing.theirs.trades == (2,)
    return missing.cause


def test_no_alert_came(first: Poster) -> None:
    found = cause()
    assert (found.kind, found.order) == (CauseKind.NO_ALERT, "entry")
    assert found.sentence.startswith("No alert for its entry came.")
    assert (found.alerts, found.entries, found.refusals) == ((), (), ())


def test_pruned_alerts_are_thought_of(first: Poster) -> None:
    assert "pruned" in cause().sentence
    recent = timezone.now().replace(microsecond=0, tzinfo=None) - timedelta(days=3)
    young = Listed(
        3, "long", Decimal(1), recent, Decimal(9), recent + timedelta(hours=1), Decimal(9)
    )
    comparison = compare(export_of(FIRST, young), Choice("Alpha", "BINANCE:BTCUSDT", "UTC"))
    assert comparison.missing_here[0].cause.sentence == "No alert for its entry came."


def test_no_exit_alert_came(first: Poster) -> None:
    post_entry(first)
    comparison = both(strategy="Alpha", symbol="BINANCE:BTCUSDT", time_zone="UTC")
    # The lot is open here and closed there.
    (pair,) = comparison.differing
    assert [one.field for one in pair.differences] == ["exit_time", "exit_price"]


def test_it_came_and_could_not_be_read(first: Poster) -> None:
    answer = post_entry(first, quantity="-1")
    assert answer.code == "INVALID_PAYLOAD"
    found = cause()
    assert (found.kind, found.code, found.order) == (
        CauseKind.FAILED,
        "INVALID_PAYLOAD",
        "entry",
    )
    assert found.alerts == (answer["webhook_log_id"],)
    assert "INVALID_PAYLOAD" in found.sentence


def test_it_came_as_no_json(first: Poster) -> None:
    broken = json.dumps(alert(price="123.5"))[:-1]
    answer = first(broken)
    assert answer.code == "INVALID_JSON"
    # It tells no time; when it came decides.
    moment = SECOND.entry_time.replace(tzinfo=UTC)
    WebhookLog.objects.filter(pk=answer["webhook_log_id"]).update(received_at=moment)
    found = cause()
    assert (found.kind, found.code) == (CauseKind.FAILED, "INVALID_JSON")


def test_it_came_while_the_strategy_was_disabled(first: Poster) -> None:
    Strategy.objects.update(enabled=False)
    answer = post_entry(first)
    found = cause()
    assert (found.kind, found.alerts) == (
        CauseKind.STRATEGY_DISABLED,
        (answer["webhook_log_id"],),
    )


def test_it_came_as_a_test(first: Poster) -> None:
    answer = post_entry(first, is_test=True)
    found = cause()
    assert (found.kind, found.alerts) == (CauseKind.TEST, (answer["webhook_log_id"],))


def test_its_exit_is_parked(first: Poster) -> None:
    """What the alert for its entry did was to close what was open, so its exit waits."""
    short = listed(9, "11:00", "14:30", entry_price=Decimal(130), direction="short")
    post_entry(first, short)
    post_entry(first)
    parked = post_exit(first, action="exit_long")
    assert parked["status"] == "parked"
    found = cause()
    assert (found.kind, found.order, found.alerts) == (
        CauseKind.PARKED,
        "exit",
        (parked["webhook_log_id"],),
    )


def test_what_happened_to_its_entry_comes_first(first: Poster) -> None:
    assert post_exit(first, action="exit_long")["status"] == "parked"
    assert (cause().kind, cause().order) == (CauseKind.NO_ALERT, "entry")


def test_it_was_refused_by_rate(first: Poster) -> None:
    moment = SECOND.entry_time.replace(tzinfo=UTC)
    tries = [
        RefusalFactory(refused_at=moment + timedelta(seconds=5 * number)).pk for number in range(4)
    ]
    RefusalFactory(refused_at=moment, book="Beta\x1fBINANCE:BTCUSDT")
    RefusalFactory(refused_at=moment - timedelta(hours=2))
    found = cause()
    assert (found.kind, found.refusals) == (CauseKind.REFUSED_BY_RATE, tuple(tries))


def test_it_is_still_in_the_log(first: Poster) -> None:
    entry = EntryFactory(
        body=json.dumps(alert(price="123.5", time=SECOND.entry_time.isoformat())).encode()
    )
    other = alert(price="123.5", strategy="Beta", time=SECOND.entry_time.isoformat())
    EntryFactory(body=json.dumps(other).encode())
    found = cause()
    assert (found.kind, found.entries) == (CauseKind.QUEUED, (entry.pk,))
    assert f"log entry {entry.pk}" in found.sentence
    comparison = both(strategy="Alpha", symbol="BINANCE:BTCUSDT", time_zone="UTC")
    # It will come by itself.
    assert not comparison.importable
    assert Entry.objects.get(pk=entry.pk).status == "pending"


def test_it_was_applied_to_another_position(first: Poster) -> None:
    """A short position was open, so that the buy closed it; its own exit then opened one."""
    short = listed(9, "11:00", "14:30", entry_price=Decimal(130), direction="short")
    assert post_entry(first, short)["status"] == "processed"
    entered, left = post_entry(first), post_exit(first)
    comparison = both(strategy="Alpha", symbol="BINANCE:BTCUSDT", time_zone="UTC")
    (missing,) = comparison.missing_here
    assert (missing.cause.kind, missing.cause.order) == (CauseKind.APPLIED_OTHERWISE, "")
    assert set(missing.cause.alerts) == {entered["webhook_log_id"], left["webhook_log_id"]}


def test_the_exit_failed(first: Poster) -> None:
    """The entry only closed what was open, and its exit was rejected."""
    short = listed(9, "11:00", "14:30", entry_price=Decimal(130), direction="short")
    post_entry(first, short)
    post_entry(first)
    answer = post_exit(first, price="none")
    found = cause()
    assert (found.kind, found.order, found.alerts) == (
        CauseKind.FAILED,
        "exit",
        (answer["webhook_log_id"],),
    )


def test_an_alert_of_the_other_side_is_not_its_entry(first: Poster) -> None:
    post_entry(first, action="sell", is_test=True)
    assert cause().kind is CauseKind.NO_ALERT
