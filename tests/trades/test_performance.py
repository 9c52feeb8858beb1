"""The numbers of the Overview: by hand, by their definitions, and by laws they must obey."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trades import performance
from trades.performance import Step, Tally, tally

START = datetime(2026, 3, 2, 12, tzinfo=UTC)

pnls = st.lists(st.decimals(-(10**6), 10**6, places=8, allow_nan=False), max_size=60)


def steps(*results: str | Decimal, apart: timedelta = timedelta(days=1)) -> list[Step]:
    """A trade each, `apart` from each other."""
    return [
        Step(START + number * apart, tally([Decimal(result)]))
        for number, result in enumerate(results)
    ]


def test_a_tally_by_hand() -> None:
    # Five trades: +100, −50, +30, 0, −20.
    counted = tally(map(Decimal, ("100", "-50", "30", "0", "-20")))
    assert (counted.trades, counted.wins, counted.losses) == (5, 2, 2)
    assert counted.net == 60
    assert counted.win_rate == Decimal("0.4")
    assert counted.average_win == 65
    assert counted.average_loss == 35
    assert counted.expectancy == 12
    assert counted.profit_factor is not None
    assert round(counted.profit_factor, 6) == Decimal("1.857143")  # 130 / 70


def test_what_cannot_be_told_is_none() -> None:
    nothing, won = Tally(), tally([Decimal(5)])
    for name in ("win_rate", "profit_factor", "expectancy", "average_win", "average_loss"):
        assert getattr(nothing, name) is None
    assert won.profit_factor is None and won.average_loss is None
    assert won.win_rate == 1


def test_drawdown_by_hand() -> None:
    # Equity 100, 50, 80, 20, 120, 90: the deepest fall is from 100 to 20.
    curve = performance.equity_curve(steps("100", "-50", "30", "-60", "100", "-30"))
    assert [point.equity for point in curve] == [100, 50, 80, 20, 120, 90]
    assert [point.drawdown for point in curve] == [0, 50, 20, 80, 0, 30]
    assert performance.max_drawdown(curve) == 80


def test_a_loss_at_the_start_is_a_drawdown() -> None:
    assert performance.max_drawdown(performance.equity_curve(steps("-7", "3"))) == 7


def test_sharpe_by_hand() -> None:
    # Daily P&L 10, 0 (no trade), 20, -10: mean 5, sample deviation sqrt(500 / 3).
    days = {
        date(2026, 3, 2): tally([Decimal(10)]),
        date(2026, 3, 4): tally([Decimal(15), Decimal(5)]),
        date(2026, 3, 5): tally([Decimal(-10)]),
    }
    sharpe = performance.sharpe_ratio(days)
    assert sharpe is not None
    assert float(sharpe) == pytest.approx(5 / math.sqrt(500 / 3) * math.sqrt(365), rel=1e-12)


def test_sharpe_of_days_with_all_digits_there_are() -> None:
    """Of CL1! the largest quantity at the largest price, of MYM1! the least at the least."""
    first, second = Decimal(10) ** 39, Decimal("5e-37")
    days = {
        START.date(): tally([first, second]),
        START.date() + timedelta(days=1): tally([-second]),
    }
    # Of two days with x and nearly 0 the ratio is (x / 2) / (x / sqrt(2)), a year's: sqrt(365 / 2).
    sharpe = performance.sharpe_ratio(days)
    assert sharpe is not None
    assert float(sharpe) == pytest.approx(math.sqrt(365 / 2), rel=1e-12)


def test_sharpe_needs_days_that_differ() -> None:
    same = {START.date() + timedelta(days=n): tally([Decimal("0.1")]) for n in range(3)}
    assert performance.sharpe_ratio({}) is None
    assert performance.sharpe_ratio({START.date(): tally([Decimal(3)])}) is None
    assert performance.sharpe_ratio(same) is None


def test_days_are_those_of_the_zone() -> None:
    # 23:30 UTC is the next day in Berlin and the same one in New York.
    late = [Step(datetime(2026, 1, 31, 23, 30, tzinfo=UTC), tally([Decimal(4)]))]
    assert list(performance.by_day(late, ZoneInfo("Europe/Berlin"))) == [date(2026, 2, 1)]
    assert list(performance.by_day(late, ZoneInfo("America/New_York"))) == [date(2026, 1, 31)]


def test_weeks_and_months() -> None:
    days = performance.by_day(steps("1", "2", apart=timedelta(days=30)), UTC)
    assert list(performance.by_week(days)) == [date(2026, 3, 2), date(2026, 3, 30)]
    assert list(performance.by_month(days)) == [date(2026, 3, 1), date(2026, 4, 1)]
    # Sunday belongs to the week of the Monday before it.
    assert performance.monday_of(date(2026, 3, 8)) == date(2026, 3, 2)


@given(pnls)
def test_net_is_the_sum_to_the_last_digit(results: list[Decimal]) -> None:
    assert tally(results).net == sum(results)


@given(pnls)
def test_expectancy_is_what_wins_and_losses_bring(results: list[Decimal]) -> None:
    counted = tally(results)
    if counted.expectancy is None:
        assert not results
        return
    of_wins = (counted.average_win or Decimal(0)) * counted.wins / counted.trades
    of_losses = (counted.average_loss or Decimal(0)) * counted.losses / counted.trades
    assert float(of_wins - of_losses) == pytest.approx(float(counted.expectancy), abs=1e-9)


@given(pnls, st.integers(0, 60))
def test_tallies_add_up_however_they_are_split(results: list[Decimal], cut: int) -> None:
    assert tally(results[:cut]) + tally(results[cut:]) == tally(results)


@given(pnls)
def test_drawdown_is_the_worst_of_all_falls(results: list[Decimal]) -> None:
    curve = performance.equity_curve(steps(*results))
    equity = [Decimal(0), *(point.equity for point in curve)]
    falls = [before - after for index, before in enumerate(equity) for after in equity[index:]]
    assert performance.max_drawdown(curve) == max(falls)
    assert equity[-1] == sum(results)


@given(pnls, st.integers(2, 40))
def test_drawdown_of_days_is_never_more_than_that_of_trades(
    results: list[Decimal], a_day: int
) -> None:
    apart = timedelta(days=1) / a_day
    fine = steps(*results, apart=apart)
    days = performance.by_day(fine, UTC)
    coarse = [Step(datetime(d.year, d.month, d.day, tzinfo=UTC), days[d]) for d in days]
    assert performance.max_drawdown(performance.equity_curve(coarse)) <= (
        performance.max_drawdown(performance.equity_curve(fine))
    )


@given(pnls)
def test_weeks_and_months_hold_what_the_days_hold(results: list[Decimal]) -> None:
    days = performance.by_day(steps(*results), UTC)
    whole = tally(results)
    for grouped in (days, performance.by_week(days), performance.by_month(days)):
        assert performance.total(grouped.values()) == whole


@given(st.lists(st.decimals(-1000, 1000, places=2, allow_nan=False), min_size=2, max_size=50))
def test_sharpe_is_its_definition(results: list[Decimal]) -> None:
    sharpe = performance.sharpe_ratio(performance.by_day(steps(*results), UTC))
    deviation = statistics.stdev(results)
    if not deviation:
        assert sharpe is None
        return
    assert sharpe is not None
    defined = float(statistics.mean(results) / deviation) * math.sqrt(365)
    assert float(sharpe) == pytest.approx(defined, rel=1e-9, abs=1e-9)


@given(
    st.lists(st.decimals(-1000, 1000, places=2, allow_nan=False), min_size=2, max_size=50),
    st.integers(2, 1000),
)
def test_sharpe_does_not_know_the_size_of_the_account(
    results: list[Decimal], contracts: int
) -> None:
    one = performance.sharpe_ratio(performance.by_day(steps(*results), UTC))
    many = performance.sharpe_ratio(
        performance.by_day(steps(*(result * contracts for result in results)), UTC)
    )
    if one is None:
        assert many is None
    else:
        assert many is not None and float(many) == pytest.approx(float(one), rel=1e-12)
