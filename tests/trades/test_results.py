"""What the database sums up is what the pure functions make of the same trades."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User

from tests.factories import StrategyFactory, TradeFactory
from trades import performance, results
from trades.books import traded_books
from trades.corrections import correct
from trades.models import Trade
from trades.performance import Step
from trades.results import Group, Results

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(params=[0, 10_000], ids=["by day", "by trade"])
def steps_are_trades(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways to look at the equity, whatever the number of trades."""
    monkeypatch.setattr(results, "MOST_SINGLE_STEPS", request.param)
    return bool(request.param)


@pytest.fixture
def many() -> list[Trade]:
    """Trades of three strategies on two symbols in two currencies, around both clock changes."""
    chance = random.Random(11)
    start = datetime(2026, 2, 20, tzinfo=UTC)
    trades: list[Trade] = []
    for _ in range(400):
        exit_time = start + timedelta(minutes=chance.randrange(60 * 24 * 260))
        trades.append(
            TradeFactory(
                strategy=StrategyFactory(name=chance.choice(["Alpha", "Beta", "Gamma"])),
                symbol=chance.choice(["BINANCE:BTCUSDT", "CME_MINI:ESZ2026"]),
                currency=chance.choice(["USD", "USD", "EUR"]),
                exit_time=exit_time.replace(second=chance.choice([0, 30])),
                pnl=Decimal(chance.randrange(-(10**9), 10**9)) / 10**7,
                pnl_discrepancy=Decimal(1) if chance.random() < 0.05 else None,
            )
        )
    return trades


def found(zone: ZoneInfo = BERLIN) -> dict[str, Results]:
    return {each.currency: each for each in results.results(Trade.objects.all(), zone)}


def expected_group(name: str, trades: list[Trade], *, by_trade: bool) -> Group:
    """The same by the pure functions, from the trades one by one."""
    ordered = sorted(trades, key=lambda trade: trade.exit_time)
    moments: dict[object, list[Decimal]] = {}
    for trade in ordered:
        local = trade.exit_time.astimezone(BERLIN)
        moments.setdefault(trade.exit_time if by_trade else local.date(), []).append(trade.pnl)
    steps = [Step(NOON, performance.tally(pnls)) for pnls in moments.values()]
    singly = [Step(trade.exit_time, performance.tally([trade.pnl])) for trade in ordered]
    return Group(
        name,
        performance.total(step.tally for step in steps),
        performance.max_drawdown(performance.equity_curve(steps)),
        performance.sharpe_ratio(performance.by_day(singly, BERLIN)),
        sum(trade.pnl_discrepancy is not None for trade in trades),
    )


def groups(trades: list[Trade], currency: str) -> Iterator[tuple[str, str, list[Trade]]]:
    mine = [trade for trade in trades if trade.currency == currency]
    for name in {trade.strategy.name for trade in mine}:
        yield "strategies", name, [trade for trade in mine if trade.strategy.name == name]
    for name in {trade.symbol for trade in mine}:
        yield "symbols", name, [trade for trade in mine if trade.symbol == name]


def test_every_group_is_what_its_trades_come_to(many: list[Trade], steps_are_trades: bool) -> None:
    of_currency = found()
    assert set(of_currency) == {"USD", "EUR"}
    for currency, shown in of_currency.items():
        whole = [trade for trade in many if trade.currency == currency]
        assert shown.total == performance.tally(trade.pnl for trade in whole)
        assert shown.discrepancies == sum(trade.pnl_discrepancy is not None for trade in whole)
        told = {("strategies", group.name): group for group in shown.strategies}
        told |= {("symbols", group.name): group for group in shown.symbols}
        wanted = {
            (kind, name): expected_group(name, trades, by_trade=steps_are_trades)
            for kind, name, trades in groups(many, currency)
        }
        assert told == wanted


def test_the_steps_make_the_equity(many: list[Trade], steps_are_trades: bool) -> None:
    for currency, shown in found().items():
        whole = expected_group(
            "", [trade for trade in many if trade.currency == currency], by_trade=steps_are_trades
        )
        curve = performance.equity_curve(shown.steps)
        assert [step.moment for step in shown.steps] == sorted(step.moment for step in shown.steps)
        assert curve[-1].equity == whole.tally.net
        assert performance.max_drawdown(curve) == whole.max_drawdown
        assert performance.sharpe_ratio(performance.by_day(shown.steps, BERLIN)) == whole.sharpe


def test_most_trades_first(many: list[Trade]) -> None:
    currencies = results.results(Trade.objects.all(), BERLIN)
    assert [each.currency for each in currencies] == ["USD", "EUR"]
    numbers = [group.tally.trades for group in currencies[0].strategies]
    assert numbers == sorted(numbers, reverse=True)


def test_days_begin_at_the_zones_midnight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_SINGLE_STEPS", 0)
    TradeFactory(exit_time=datetime(2026, 3, 28, 23, 30, tzinfo=UTC))  # 00:30 in Berlin.
    TradeFactory(exit_time=datetime(2026, 3, 29, 21, 30, tzinfo=UTC))  # 23:30: summer time began.
    (step,) = found()["USD"].steps
    assert step.moment == datetime(2026, 3, 29, tzinfo=BERLIN)
    assert len(found(ZoneInfo("UTC"))["USD"].steps) == 2


def test_a_trade_that_came_out_even_neither_won_nor_lost() -> None:
    TradeFactory(pnl=Decimal(0))
    total = found()["USD"].total
    assert (total.trades, total.wins, total.losses) == (1, 0, 0)
    assert total.net == 0


def test_no_trades_no_results() -> None:
    assert results.results(Trade.objects.all(), BERLIN) == []


def test_what_a_correction_says_counts(steps_are_trades: bool) -> None:
    user = User.objects.create_user("trader")
    kept, changed, never = (TradeFactory(pnl=Decimal(1)) for _ in range(3))
    correct(changed, user=user, reason="filled at 105", exit_price=Decimal(105))
    correct(changed, user=user, reason="filled at 90 after all", exit_price=Decimal(90))
    correct(never, user=user, reason="never filled", quantity=Decimal(0))
    total = found()["USD"].total
    assert total == performance.tally([kept.pnl, Decimal(-10)])


def test_what_never_happened_but_cost_something_counts() -> None:
    trade = TradeFactory(commission=Decimal(2))
    user = User.objects.create_user("trader")
    correct(trade, user=user, reason="never filled, and charged", quantity=Decimal(0))
    assert found()["USD"].total == performance.tally([Decimal(-2)])


def test_a_discrepancy_that_was_corrected_is_none(steps_are_trades: bool) -> None:
    user = User.objects.create_user("trader")
    _, corrected = (TradeFactory(pnl_discrepancy=Decimal(2)) for _ in range(2))
    correct(corrected, user=user, reason="filled at 105", exit_price=Decimal(105))
    shown = found()["USD"]
    assert shown.total.trades == 2
    assert shown.discrepancies == 1
    assert [group.discrepancies for group in (*shown.strategies, *shown.symbols)] == [1, 1]


def test_books_and_how_far_they_reach(many: list[Trade]) -> None:
    wanted: dict[tuple[str, str], list[datetime]] = {}
    for trade in many:
        wanted.setdefault((trade.strategy.name, trade.symbol), []).append(trade.exit_time)
    assert traded_books() == [
        (*book, min(exits), max(exits)) for book, exits in sorted(wanted.items())
    ]
    Trade.objects.all().delete()
    assert traded_books() == []
