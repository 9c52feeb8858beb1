"""Trades summed up by month come to what the trades themselves come to, whatever happened since."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.factories import StrategyFactory, TradeFactory
from trades import results
from trades.comparison.groups import TradeGroup
from trades.corrections import correct
from trades.direction import Direction
from trades.imports import Source, import_trades, undo
from trades.models import ImportBatch, Strategy, Trade
from trades.monthly import building, reading
from trades.monthly.models import MonthSums, SummedZone
from trades.monthly.reading import Chosen

pytestmark = pytest.mark.django_db

#: Midnights at three times of the day, one of them of a half hour.
ZONES = ("UTC", "America/New_York", "Asia/Kolkata")
SYMBOLS = ("BINANCE:BTCUSDT", "CME_MINI:ESZ2026")
SOURCE = Source("list.csv", "0" * 64, "UTC", "", None)
FIRST = date(2025, 12, 20)
DAYS = 100


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_SINGLE_STEPS", 0)
    monkeypatch.setattr(building, "WORTH", 1)
    monkeypatch.setattr(building, "_TOGETHER", 7)


#: So that many are at the edges of days and months.
MOMENTS = st.builds(
    lambda day, hour: datetime(2025, 12, 20, 0, 30, tzinfo=UTC) + timedelta(days=day, hours=hour),
    st.integers(0, DAYS - 1),
    st.sampled_from([0, 4, 12, 18, 23]),
)
PNLS = st.decimals(-1000, 1000, places=3) | st.sampled_from([Decimal(0), Decimal("1E-18")])
TRADES = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["Alpha", "Beta"]),
        "symbol": st.sampled_from(SYMBOLS),
        "currency": st.sampled_from(["USD", "EUR", ""]),
        "exit_time": MOMENTS,
        "pnl": PNLS,
        "pnl_discrepancy": st.sampled_from([None, None, Decimal(1)]),
    }
)
EVENTS = st.one_of(
    st.tuples(st.just("trades"), st.lists(TRADES, min_size=1, max_size=12)),
    st.tuples(st.just("import"), st.lists(MOMENTS, min_size=1, max_size=3, unique=True)),
    st.tuples(st.just("undo"), st.none()),
    st.tuples(
        st.just("correct"),
        st.tuples(
            st.integers(0, 50),
            st.sampled_from(["0", "1", "2.5"]),
            st.integers(50, 150),
            st.sampled_from([1, 50]),
        ),
    ),
    st.tuples(st.just("sum up"), st.sampled_from(ZONES)),
    st.tuples(st.just("sum up"), st.sampled_from(ZONES)),
)
CHOSEN = st.tuples(st.integers(0, DAYS - 1), st.integers(0, DAYS - 1)).map(
    lambda ends: (FIRST + timedelta(days=min(ends)), FIRST + timedelta(days=max(ends)))
)


@hypothesis_settings(max_examples=50)
@given(st.lists(EVENTS, max_size=12), st.lists(CHOSEN, min_size=1, max_size=3))
def test_they_are_what_the_trades_come_to(events: Any, chosen: list[tuple[date, date]]) -> None:
    with transaction.atomic():
        user, _ = User.objects.get_or_create(username="trader")
        for name in ("Alpha", "Beta"):
            StrategyFactory(name=name)
        for event, told in events:
            happen(event, told, user)
        compare([*chosen, (FIRST - timedelta(days=1), FIRST + timedelta(days=DAYS))])
        transaction.set_rollback(True)


def happen(event: str, told: Any, user: User) -> None:
    strategies = {strategy.name: strategy for strategy in Strategy.objects.all()}
    if event == "trades":
        for columns in told:
            TradeFactory(**{**columns, "strategy": strategies[columns["strategy"]]})
    elif event == "import":
        known = set(Trade.objects.exclude(import_batch=None).values_list("exit_time", flat=True))
        groups = [group_closed(moment) for moment in told if moment not in known]
        if groups:
            import_trades(
                groups, strategies["Alpha"], SYMBOLS[0], Source("f", "0", "UTC", "", None)
            )
    elif event == "undo":
        batch = ImportBatch.objects.filter(undone_at=None, trades__corrections__isnull=True).first()
        if (
            batch
            and not Trade.objects.filter(import_batch=batch, corrections__isnull=False).exists()
        ):
            undo(batch.pk, None)
    elif event == "correct" and (trades := list(Trade.objects.order_by("pk"))):
        place, quantity, price, point = told
        correct(
            trades[place % len(trades)],
            user=user,
            reason="as filled",
            quantity=Decimal(quantity),
            # No other correction of these says the same, and one that changes nothing is refused.
            exit_price=price + Decimal(next(NUMBERS)) / 1000,
            point_value=Decimal(point),
        )
    elif event == "sum up":
        building.sum_up(told)


NUMBERS = itertools.count(1)


def group_closed(moment: datetime) -> TradeGroup:
    return TradeGroup(
        Direction.LONG, moment - timedelta(hours=1), Decimal(100), moment, Decimal(90), Decimal(2)
    )


def compare(chosen: list[tuple[date, date]]) -> int:
    """Both ways for every filter and zone; how often the months could be read."""
    ids = [None, *Strategy.objects.values_list("pk", flat=True)]
    read = 0
    zones = map(ZoneInfo, SummedZone.objects.values_list("pk", flat=True))
    for zone, (first, last), strategy, symbol in itertools.product(
        zones, chosen, ids, ("", *SYMBOLS)
    ):
        these = Chosen(first, last, strategy, symbol)
        by_trade = results.results(these.trades(zone), zone)
        assert results.results_of(these, zone) == by_trade
        if (rows := reading.read(these, zone)) is not None:
            read += 1
            assert results._gathered(rows, zone) == by_trade
    return read


def fill(number: int = 40) -> list[Trade]:
    return [
        TradeFactory(
            strategy=StrategyFactory(name="Alpha" if n % 3 else "Beta"),
            symbol=SYMBOLS[n % 2],
            exit_time=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=37 * n),
            pnl=Decimal(n * 7919 % 41 - 20),
        )
        for n in range(number)
    ]


@pytest.fixture
def summed_up() -> Iterator[list[Trade]]:
    trades = fill()
    assert building.sum_up("UTC") == len(trades)
    yield trades


ALL = Chosen(date(2000, 1, 1), date(2100, 1, 1))
UTC_ZONE = ZoneInfo("UTC")


def test_months_are_read_and_not_trades(summed_up: list[Trade]) -> None:
    net = sum(trade.pnl for trade in summed_up)
    # What no month knows of cannot be.
    MonthSums.objects.filter(strategy_id=0, symbol="").update(
        net_by_day=[], profit_by_day=[], trades_by_day=[], days=[]
    )
    (shown,) = results.results_of(ALL, UTC_ZONE)
    assert shown.total.trades == 0
    assert sum(group.tally.net for group in shown.strategies) == net


def test_a_zone_that_nobody_summed_up_is_shown_all_the_same(summed_up: list[Trade]) -> None:
    assert reading.read(ALL, ZoneInfo("Europe/Berlin")) is None
    (shown,) = results.results_of(ALL, ZoneInfo("Europe/Berlin"))
    assert shown.total.trades == len(summed_up)


def test_what_is_new_is_added_once(summed_up: list[Trade]) -> None:
    TradeFactory(exit_time=summed_up[20].exit_time, pnl=Decimal(5))
    assert compare([(date(2026, 1, 1), date(2026, 12, 31))]) > 0
    assert building.sum_up("UTC") == 1
    assert building.sum_up("UTC") == 0
    assert compare([(date(2026, 1, 1), date(2026, 12, 31))]) > 0


def test_a_discrepancy_that_was_corrected_is_none_in_months_either(
    summed_up: list[Trade],
) -> None:
    def number() -> int:
        """As it is shown, and the same both ways and in every sum."""
        assert compare([(date(2026, 1, 1), date(2026, 12, 31))]) > 0
        (shown,) = results.results_of(ALL, UTC_ZONE)
        for groups in (shown.strategies, shown.symbols):
            assert sum(group.discrepancies for group in groups) == shown.discrepancies
        return shown.discrepancies

    user = User.objects.create_user("trader")
    in_month, other, since = (
        TradeFactory(exit_time=summed_up[20].exit_time, pnl_discrepancy=Decimal(1))
        for _ in range(3)
    )
    building.sum_up("UTC")
    assert number() == 3
    correct(in_month, user=user, reason="as filled", exit_price=Decimal(90))
    correct(in_month, user=user, reason="as filled after all", exit_price=Decimal(91))
    assert number() == 2
    correct(other, user=user, reason="never filled", quantity=Decimal(0))
    assert number() == 1
    # What is corrected before it is in a month, and months made after a correction.
    added = TradeFactory(exit_time=since.exit_time, pnl_discrepancy=Decimal(1))
    correct(added, user=user, reason="as filled", exit_price=Decimal(90))
    assert number() == 1
    building.forget()
    building.sum_up("UTC")
    assert number() == 1


def test_few_trades_are_not_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "WORTH", 41)
    fill(40)
    assert building.sum_up("UTC") == 0 and not SummedZone.objects.exists()
    fill(1)
    assert building.sum_up("UTC") == 41


def test_after_an_undo_they_begin_anew(summed_up: list[Trade]) -> None:
    moment = summed_up[3].exit_time
    batch = import_trades([group_closed(moment)], summed_up[0].strategy, SYMBOLS[0], SOURCE)
    building.sum_up("UTC")
    undo(batch.pk, None)
    assert reading.read(ALL, UTC_ZONE) is None
    assert results.results_of(ALL, UTC_ZONE) == results.results(Trade.objects.all(), UTC_ZONE)
    assert building.sum_up("UTC") == len(summed_up)
    assert reading.read(ALL, UTC_ZONE) is not None
    compare([(date(2026, 1, 1), date(2026, 12, 31))])


def test_made_anew_they_are_the_same(summed_up: list[Trade]) -> None:
    def rows() -> list[dict[str, Any]]:
        return [
            {name: value for name, value in row.items() if name != "id"}
            for row in MonthSums.objects.order_by(
                "strategy_id", "symbol", "currency", "month"
            ).values()
        ]

    in_steps = rows()
    building.forget()
    assert not MonthSums.objects.exists()
    building._TOGETHER = 1000  # type: ignore[misc]  # The fixture puts it back.
    building.sum_up("UTC")
    assert rows() == in_steps
