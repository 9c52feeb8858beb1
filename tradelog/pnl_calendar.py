"""P&L by day, week and month as a calendar whose colours tell good days from bad ones.

Pure. A level says how strong a cell's colour is: −4 to −1 for losses, 1 to 4 for profits,
0 for what came out even.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from trades.performance import Tally, by_month, by_week, monday_of, total

#: Columns of the calendar: a year and the day by which 52 weeks fall short of it.
WEEKS: Final = 53

_LEVELS: Final = 4
_WEEK: Final = timedelta(weeks=1)
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Cell:
    """A day, a week, a month or a year.

    Its days are first to last; of one that the calendar covers in part, those that it covers, as
    in its tally.
    """

    first: date
    last: date
    #: None where nothing was closed.
    tally: Tally | None
    level: int
    #: Whether the calendar covers any of it: a day before its first or after its last is blank.
    is_covered: bool


@dataclass(frozen=True, slots=True)
class MonthHeading:
    """The month over so many columns."""

    month: Cell
    columns: int


@dataclass(frozen=True, slots=True)
class DayCalendar:
    """A column a week, a row a weekday, Monday first."""

    headings: list[MonthHeading]
    weekdays: list[list[Cell]]
    weeks: list[Cell]


@dataclass(frozen=True, slots=True)
class YearOfMonths:
    year: Cell
    months: list[Cell]


def day_calendar(days: Mapping[date, Tally], *, first: date, last: date) -> DayCalendar:
    """The days of the year up to `last`, none before `first`."""
    first = max(first, monday_of(last) - (WEEKS - 1) * _WEEK)
    shown = {day: tally for day, tally in days.items() if first <= day <= last}
    mondays = _mondays(first, last)
    of_weeks = by_week(shown)
    day_scale, week_scale = _scale(shown.values()), _scale(of_weeks.values())
    covered = (first, last)
    weekdays = [
        [
            _cell(day, day, shown.get(day), day_scale, covered)
            for monday in mondays
            for day in (monday + timedelta(days=number),)
        ]
        for number in range(7)
    ]
    weeks = [
        _cell(monday, monday + timedelta(days=6), of_weeks.get(monday), week_scale, covered)
        for monday in mondays
    ]
    return DayCalendar(_headings(mondays, by_month(shown), covered), weekdays, weeks)


def month_calendar(days: Mapping[date, Tally], *, first: date, last: date) -> list[YearOfMonths]:
    """The years that have trades, the latest first. All the days are from `first` to `last`."""
    covered = (first, last)
    months = by_month(days)
    scale = _scale(months.values())
    years = []
    for year in sorted({month.year for month in months}, reverse=True):
        firsts = [date(year, number, 1) for number in range(1, 13)]
        of_year = total(months[month] for month in firsts if month in months)
        whole = _cell(firsts[0], date(year, 12, 31), of_year, _NOTHING, covered)
        cells = [
            _cell(month, _last_of(month), months.get(month), scale, covered) for month in firsts
        ]
        years.append(YearOfMonths(whole, cells))
    return years


def _mondays(first: date, last: date) -> list[date]:
    begin = monday_of(first)
    return [begin + number * _WEEK for number in range((last - begin).days // 7 + 1)]


def _headings(
    mondays: list[date], months: Mapping[date, Tally], covered: tuple[date, date]
) -> list[MonthHeading]:
    """A column belongs to the month that has its Thursday, as a week does to its year (ISO)."""
    columns: dict[date, int] = {}
    for monday in mondays:
        month = (monday + timedelta(days=3)).replace(day=1)
        columns[month] = columns.get(month, 0) + 1
    scale = _scale(months.values())
    return [
        MonthHeading(_cell(month, _last_of(month), months.get(month), scale, covered), number)
        for month, number in columns.items()
    ]


def _last_of(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _cell(
    first: date, last: date, tally: Tally | None, scale: Decimal, covered: tuple[date, date]
) -> Cell:
    since, until = covered
    is_covered = first <= until and last >= since
    if is_covered:
        first, last = max(first, since), min(last, until)
    return Cell(first, last, tally, level(tally.net, scale) if tally else 0, is_covered)


def _scale(tallies: Iterable[Tally]) -> Decimal:
    """What the strongest colour stands for: nine cells in ten lie within it.

    Not the largest one, beside which all others would pale.
    """
    sizes = sorted(abs(tally.net) for tally in tallies)
    return sizes[(len(sizes) - 1) * 9 // 10] if sizes else _NOTHING


def level(net: Decimal, scale: Decimal) -> int:
    """How strongly, −4 to 4, a result of this size is coloured."""
    if not net:
        return 0
    within = abs(net) / scale if abs(net) < scale else None
    strength = _LEVELS if within is None else int(within * _LEVELS) + 1
    return strength if net > 0 else -strength
