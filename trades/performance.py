"""How trades turned out: the numbers a trader judges a strategy by.

Pure: no database, no clock. Money is Decimal in one currency and its sums are exact;
ratios are rounded to 40 digits. What a number means, and where its formula comes from,
stands with each; docs/overview.md tells users the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Context, Decimal, localcontext
from typing import Final

from trades.numeric import exactly

#: Calendar days of a year, as the daily Sharpe ratio is scaled to one.
DAYS_A_YEAR: Final = 365

#: For quotients, which cannot be exact. The squares of sums may have 150 digits.
_RATIOS: Final = Context(prec=40)

_NONE: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tally:
    """Trades counted and their P&L summed up, in one currency, after commission."""

    trades: int = 0
    #: Trades with a P&L above 0, and below 0; what is neither came out even.
    wins: int = 0
    losses: int = 0
    #: The sum of what was won, and of what was lost, both 0 or more.
    profit: Decimal = _NONE
    loss: Decimal = _NONE

    def __add__(self, other: Tally) -> Tally:
        with exactly():
            return Tally(
                self.trades + other.trades,
                self.wins + other.wins,
                self.losses + other.losses,
                self.profit + other.profit,
                self.loss + other.loss,
            )

    @property
    def net(self) -> Decimal:
        """Net P&L: what was won less what was lost."""
        with exactly():
            return self.profit - self.loss

    @property
    def win_rate(self) -> Decimal | None:
        """Winning trades among all trades, 0 to 1 (TradingView: percent profitable)."""
        return _ratio(Decimal(self.wins), Decimal(self.trades))

    @property
    def profit_factor(self) -> Decimal | None:
        """What was won for each unit lost: gross profit / gross loss; None without a loss.

        As TradingView's strategy report defines it; above 1 is a net profit.
        """
        return _ratio(self.profit, self.loss)

    @property
    def expectancy(self) -> Decimal | None:
        """What a trade brought on average: net P&L / trades.

        The same as win rate × average win − loss rate × average loss (V. K. Tharp, Trade
        Your Way to Financial Freedom, 2nd ed. 2006, ch. 7, there divided by the risk taken).
        """
        return _ratio(self.net, Decimal(self.trades))

    @property
    def average_win(self) -> Decimal | None:
        """Gross profit / winning trades."""
        return _ratio(self.profit, Decimal(self.wins))

    @property
    def average_loss(self) -> Decimal | None:
        """Gross loss / losing trades, above 0."""
        return _ratio(self.loss, Decimal(self.losses))


@dataclass(frozen=True, slots=True)
class Step:
    """Trades that count at one moment: those closed at it, or all of a day that starts at it."""

    moment: datetime
    tally: Tally


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """Where the account stood after a step, measured from the start of the steps."""

    moment: datetime
    #: Net P&L up to and with this step.
    equity: Decimal
    #: How far it lies below the highest equity before it (at least 0, the start); 0 or more.
    drawdown: Decimal


def tally(pnls: Iterable[Decimal]) -> Tally:
    """Count trades by their P&L."""
    trades = wins = losses = 0
    profit = loss = _NONE
    with exactly():
        for pnl in pnls:
            trades += 1
            if pnl > 0:
                wins += 1
                profit += pnl
            elif pnl < 0:
                losses += 1
                loss -= pnl
    return Tally(trades, wins, losses, profit, loss)


def equity_curve(steps: Iterable[Step]) -> list[EquityPoint]:
    """The equity after each step, and how far it lies below its peak; steps in order of time."""
    points = []
    equity = peak = _NONE
    with exactly():
        for step in steps:
            equity += step.tally.net
            peak = max(peak, equity)
            points.append(EquityPoint(step.moment, equity, peak - equity))
    return points


def max_drawdown(curve: Iterable[EquityPoint]) -> Decimal:
    """The largest fall of the equity from a peak to a later point, 0 or more.

    M. Magdon-Ismail and A. Atiya, Maximum Drawdown, Risk 17 (10), 2004, in money and not
    in percent, since the log knows no account's size. Falls within a step, and of lots
    while they are open, are not seen.
    """
    return max((point.drawdown for point in curve), default=_NONE)


def by_day(steps: Iterable[Step], zone: tzinfo) -> dict[date, Tally]:
    """The steps of each day that has any, by the calendar of that time zone."""
    return _gathered((step.moment.astimezone(zone).date(), step.tally) for step in steps)


def by_week(days: Mapping[date, Tally]) -> dict[date, Tally]:
    """Days by the Monday of their week (ISO 8601)."""
    return _gathered((monday_of(day), tally) for day, tally in days.items())


def by_month(days: Mapping[date, Tally]) -> dict[date, Tally]:
    """Days by the first of their month."""
    return _gathered((day.replace(day=1), tally) for day, tally in days.items())


def monday_of(day: date) -> date:
    """The first day of the day's week (ISO 8601)."""
    return day - timedelta(days=day.weekday())


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    added = list(tallies)
    with exactly():
        return Tally(
            sum(each.trades for each in added),
            sum(each.wins for each in added),
            sum(each.losses for each in added),
            sum((each.profit for each in added), _NONE),
            sum((each.loss for each in added), _NONE),
        )


def sharpe_ratio(days: Mapping[date, Tally]) -> Decimal | None:
    """The Sharpe ratio of daily P&L, scaled to a year; None for fewer than two days.

    mean / standard deviation (n − 1) × √365, over every calendar day from the first day
    with a trade to the last one, days without a trade as 0, no risk-free rate.
    W. F. Sharpe, The Sharpe Ratio, Journal of Portfolio Management 21 (1), 1994; the root
    after A. W. Lo, The Statistics of Sharpe Ratios, Financial Analysts Journal 58 (4), 2002.

    P&L stands in for returns: over a constant capital both have the same ratio. √365 and
    not √252, because every calendar day counts: crypto trades on all of them, and where
    weekends add zeros, mean and deviation shrink such that 365 days come out like 252.
    None as well if every day brought the same.
    """
    if not days:
        return None
    # A day's sum may have all the digits there are, and its square twice as many.
    with localcontext(Context(prec=400)):
        results = [tally.net for tally in days.values()]
        net = sum(results, _NONE)
        squares = sum((result * result for result in results), _NONE)
    return sharpe_of_sums(net, squares, days=(max(days) - min(days)).days + 1)


def sharpe_of_sums(net: Decimal, squares: Decimal, *, days: int) -> Decimal | None:
    """`sharpe_ratio` from the sum of the daily P&L and of its squares."""
    if days < 2:
        return None
    with localcontext(Context(prec=200)):
        number = Decimal(days)
        variance = (squares - net * net / number) / (number - 1)
        if variance <= 0:
            return None
        sharpe = net / number / variance.sqrt() * Decimal(DAYS_A_YEAR).sqrt()
    return _RATIOS.plus(sharpe)


def _gathered(tallies: Iterable[tuple[date, Tally]]) -> dict[date, Tally]:
    gathered: dict[date, Tally] = {}
    for period, tally in tallies:
        gathered[period] = gathered.get(period, Tally()) + tally
    return gathered


def quotient(part: Decimal, whole: Decimal) -> Decimal:
    """part / whole, to 40 digits."""
    return _RATIOS.divide(part, whole)


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return quotient(part, whole) if whole else None
