"""The Overview's part on trades: how they turned out, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from tradelog.overview_filters import Filters, period, shortened
from tradelog.pnl_calendar import DayCalendar, YearOfMonths, day_calendar, month_calendar
from tradelog.verdict import Listed
from trades import performance, rare, results
from trades.books import TradedBook
from trades.monthly.reading import Chosen
from trades.performance import EquityPoint, Step, Tally
from trades.period import Period
from trades.results import Results, results_of

#: Rows of the table behind the chart of the equity; of more days it tells the months.
_MOST_DAYS: Final = 100


@dataclass(frozen=True, slots=True)
class EquityRow:
    """A day, or a month by its first day: what it brought, and where the account stood then."""

    first: date
    tally: Tally
    equity: Decimal
    #: At its end, below the highest end before.
    drawdown: Decimal


@dataclass(frozen=True, slots=True)
class SummedUp:
    """The trades of a period, by currency."""

    period: Period
    #: Whether it is shorter than a year because there are so many trades.
    is_shortened: bool
    #: Of all currencies, most trades first; empty where there is no trade.
    currencies: list[Results]
    #: The exits of the first and the last trade of the strategy and symbol; None: no trade.
    reach: Period | None
    #: As `Filters.strategy_id` has it.
    strategy_id: int | None


@dataclass(frozen=True, slots=True)
class TradesShown(SummedUp):
    """The same, and the trades of one currency."""

    #: The currency that is shown.
    results: Results
    total: Tally
    #: How many have a trade.
    days: int
    curve: list[EquityPoint]
    max_drawdown: Decimal
    sharpe: Decimal | None
    calendar: DayCalendar
    months: list[YearOfMonths]
    rows: list[EquityRow]
    rows_are_months: bool

    @property
    def discrepancies(self) -> int:
        """Of all currencies."""
        return sum(each.discrepancies for each in self.currencies)

    def differing(self, filters: Filters, zone: tzinfo) -> Listed:
        """Those; the filters are the ones they were chosen by."""
        return Listed(self.discrepancies, self._list("discrepancy", filters, zone))

    def backward(self, filters: Filters, zone: tzinfo) -> Listed:
        """Those whose exit's time is before their entry's, in the same way."""
        since, until = self.period.bounds(zone)
        found = filters.trades().filter(
            rare.exit_before_entry(), exit_time__gte=since, exit_time__lt=until
        )
        return Listed(found.count(), self._list("exit_before_entry", filters, zone))

    def _list(self, narrowed: str, filters: Filters, zone: tzinfo) -> str:
        since, until = self.period.bounds(zone)
        told = {
            narrowed: "yes",
            "strategy": self.strategy_id,
            "symbol": filters.symbol,
            "exit_time__gte": since.isoformat(),
            "exit_time__lt": until.isoformat(),
        }
        given = {name: value for name, value in told.items() if value}
        return f"{reverse('admin:trades_trade_changelist')}?{urlencode(given)}"

    @property
    def steps_are(self) -> str:
        return steps_are(self.currencies)

    def narrowed(self, filters: Filters) -> Filters:
        """The filters for views of less: they stay with the currency that is shown."""
        several = len(self.currencies) > 1
        return replace(filters, currency=self.results.currency) if several else filters

    def plotted(self) -> dict[str, Any]:
        """What the charts draw: seconds since 1970 and amounts. Floats, for drawing alone."""
        points = self.curve
        if points:
            # From nothing, a day before the first step, or where the period begins.
            first = points[0].moment
            # In the user's zone, in which the period has its days.
            begin = datetime.combine(self.period.first, time.min, timezone.get_current_timezone())
            start = max(begin, first - timedelta(days=1))
            points = [EquityPoint(start, Decimal(0), Decimal(0)), *points]
        return {
            "times": [point.moment.timestamp() for point in points],
            "equity": [float(point.equity) for point in points],
            "drawdown": [-float(point.drawdown) for point in points],
            "currency": self.results.currency,
        }


def summed_up_trades(
    filters: Filters, books: list[TradedBook], zone: tzinfo, now: datetime
) -> SummedUp:
    """Choose the period where the filters do not, and sum up its trades in all currencies.

    `books` are all that have trades.
    """
    reach = _reach(filters, books, zone)
    asked = period(filters, reach=reach, today=now.astimezone(zone).date())
    trades = filters.trades()
    chosen = asked if filters.first else shortened(asked, trades, zone)
    strategy = filters.strategy_id()
    of_days = Chosen(chosen.first, chosen.last, strategy, filters.symbol)
    return SummedUp(chosen, chosen != asked, results_of(of_days, zone), reach, strategy)


def trades_shown(
    filters: Filters, books: list[TradedBook], zone: tzinfo, now: datetime
) -> TradesShown:
    """Choose the period and the currency where the address does not, and sum up.

    `books` are all that have trades.
    """
    summed_up = summed_up_trades(filters, books, zone, now)
    chosen, currencies = summed_up.period, summed_up.currencies
    shown = _of_currency(currencies, filters.currency)
    days = performance.by_day(shown.steps, zone)
    curve = performance.equity_curve(shown.steps)
    by_month = len(days) > _MOST_DAYS
    return TradesShown(
        period=chosen,
        is_shortened=summed_up.is_shortened,
        currencies=currencies,
        reach=summed_up.reach,
        strategy_id=summed_up.strategy_id,
        results=shown,
        total=shown.total,
        days=len(days),
        curve=curve,
        max_drawdown=performance.max_drawdown(curve),
        sharpe=performance.sharpe_ratio(days),
        calendar=day_calendar(days, first=chosen.first, last=chosen.last),
        months=month_calendar(days, first=chosen.first, last=chosen.last),
        rows=_equity_rows(performance.by_month(days) if by_month else days, zone),
        rows_are_months=by_month,
    )


def steps_are(currencies: list[Results]) -> str:
    """What the equity is looked at after: "by day", or "by trade" where those are few."""
    number = sum(each.total.trades for each in currencies)
    return "by day" if number > results.MOST_SINGLE_STEPS else "by trade"


def _of_currency(currencies: list[Results], asked: str | None) -> Results:
    for each in currencies:
        if asked is None or each.currency == asked:
            return each
    return Results(asked or "")


def _reach(filters: Filters, books: list[TradedBook], zone: tzinfo) -> Period | None:
    found = [
        book
        for book in books
        if filters.strategy in ("", book.strategy) and filters.symbol in ("", book.symbol)
    ]
    if not found:
        return None
    first, last = min(book.first for book in found), max(book.last for book in found)
    return Period(first.astimezone(zone).date(), last.astimezone(zone).date())


def _equity_rows(days: Mapping[date, Tally], zone: tzinfo) -> list[EquityRow]:
    """Latest first."""
    firsts = sorted(days)
    steps = [Step(datetime.combine(first, time.min, zone), days[first]) for first in firsts]
    curve = performance.equity_curve(steps)
    return [
        EquityRow(first, days[first], point.equity, point.drawdown)
        for first, point in reversed(list(zip(firsts, curve, strict=True)))
    ]
