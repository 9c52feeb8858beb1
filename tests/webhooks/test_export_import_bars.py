"""A list tells when bars began: what is here from any time within one is not imported again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.alerts import Poster
from tests.trades.export_files import Listed
from tests.webhooks.exported_trades import FIRST, export_of, listed, local, post_entry, post_exit
from trades.comparison.bars import Bar
from trades.comparison.groups import TradeGroup
from trades.direction import Direction
from trades.models import Trade
from webhooks.export_causes import CauseKind
from webhooks.export_comparison import Choice
from webhooks.export_import import import_missing

ALPHA = Choice("Alpha", "BINANCE:BTCUSDT", "UTC")

#: Of a chart of one hour; FIRST is from 9:00 to 10:00.
STOPPED = listed(2, "11:00", "13:00", entry_price=Decimal(120), exit_price=Decimal(115))
LOST = listed(3, "14:00", "15:00", entry_price=Decimal(130))


def post_then(post: Poster, trade: Listed, entered: str, left: str) -> tuple[int, int]:
    """Its alerts tell `timenow` alone; gives their ids."""
    day = f"{trade.entry_time:%Y-%m-%d}"
    told = [
        post_entry(post, trade, time=None, timenow=f"{day}T{entered}Z"),
        post_exit(post, trade, time=None, timenow=f"{day}T{left}Z"),
    ]
    assert [one["action"] for one in told] == ["opened", "closed"]
    return told[0]["webhook_log_id"], told[1]["webhook_log_id"]


def test_what_was_filled_within_the_bar(first: Poster) -> None:
    alerts = post_then(first, STOPPED, "11:33:41", "13:08:30")
    trade = Trade.objects.latest("id")
    comparison, batch = import_missing(export_of(FIRST, STOPPED, LOST), ALPHA, None)
    assert batch is not None and [one.entry_price for one in batch.trades.all()] == [130]
    here = next(one for one in comparison.missing_here if one.theirs.trades == (2,))
    assert here.left_out == "entered here already"
    assert [group.trades for group in here.entered] == [(trade.pk,)]
    # Nor is it said that no alert came.
    assert here.cause.kind is CauseKind.APPLIED_OTHERWISE
    assert set(here.cause.alerts) == set(alerts)
    assert import_missing(export_of(FIRST, STOPPED, LOST), ALPHA, None)[1] is None


@pytest.mark.parametrize(
    ("entered", "price"),
    [("10:58:00", "120"), ("12:00:00", "120"), ("11:33:41", "120.01")],
    ids=["the bar before", "the bar after", "another price"],
)
def test_another_entry_keeps_nothing_out(first: Poster, entered: str, price: str) -> None:
    post_then(first, replace(STOPPED, entry_price=Decimal(price)), entered, "13:08:30")
    comparison, batch = import_missing(export_of(FIRST, STOPPED), ALPHA, None)
    assert batch is not None
    assert not comparison.missing_here[0].entered


def test_the_other_side_keeps_nothing_out(first: Poster) -> None:
    post_then(first, replace(STOPPED, direction="short"), "11:33:41", "13:08:30")
    assert import_missing(export_of(FIRST, STOPPED), ALPHA, None)[1] is not None


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        ("America/New_York", timedelta(hours=14, minutes=30)),
        ("America/Chicago", -timedelta(hours=1)),
    ],
    ids=["a share", "a future, from the evening before"],
)
def test_a_daily_chart_tells_dates_alone(post: Poster, zone: str, begins: timedelta) -> None:
    days = [
        Listed(
            number, "long", Decimal(1), local(f"2026-01-{day:02}"), Decimal(100 + day),
            local(f"2026-01-{day + 2:02}"), Decimal(110 + day), Decimal(10),
        )
        for number, day in enumerate((5, 8, 12), start=1)
    ]  # fmt: skip
    for trade in days[:2]:
        filled = (trade.entry_time + begins).replace(tzinfo=UTC).isoformat()
        assert post_entry(post, trade, time=filled)["action"] == "opened"
        filled = (trade.exit_time + begins).replace(tzinfo=UTC).isoformat()
        assert post_exit(post, trade, time=filled)["action"] == "closed"
    comparison, batch = import_missing(
        export_of(*days), Choice("Alpha", "BINANCE:BTCUSDT", zone), None
    )
    assert batch is not None and [one.entry_price for one in batch.trades.all()] == [112]
    kinds = [one.cause.kind for one in comparison.missing_here if one.left_out]
    assert kinds == [CauseKind.APPLIED_OTHERWISE] * 2


def test_no_bar_is_longer_than_what_lies_between_two_times() -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)

    def group(entered: int, left: int | None) -> TradeGroup:
        leaving = None if left is None else noon + timedelta(hours=left)
        price = None if left is None else Decimal(2)
        return TradeGroup(
            Direction.LONG, noon + timedelta(hours=entered), Decimal(1), leaving, price, Decimal(1)
        )

    assert Bar.of([group(0, 9), group(4, 16), group(9, None)]).length == timedelta(hours=4)
    # A single time tells nothing; a month is the longest there is.
    assert Bar.of([group(0, None)]).length == timedelta(days=1)
    assert Bar.of([group(0, 24 * 90)]).length == timedelta(days=31)
