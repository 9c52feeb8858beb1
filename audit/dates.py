"""Narrowing a list down by year, month and day, without reading its rows to see which it has."""

from __future__ import annotations

import calendar
from datetime import date, datetime
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.utils import timezone
from django.utils.dates import MONTHS

#: A link, or where there is none, what is chosen now.
Step = dict[str, str | None]


def date_steps(changes: ChangeList) -> dict[str, Any]:
    """What `admin/date_hierarchy.html` shows: the way back, and the next narrower choices.

    In the zone in force. Years are those that have rows; of months, those from the first row
    to the last are offered, and of days all. Which of these have rows would take a look into the
    index for each, up to 31 a page.
    """
    name = changes.date_hierarchy
    names = [f"{name}__{unit}" for unit in ("year", "month", "day")]
    try:
        chosen = [int(changes.params[param]) for param in names if param in changes.params]
        first, last = _ends(changes, str(name))
        years = [] if chosen else _years(changes, str(name), first.year, last.year)
        steps = _steps(chosen, first, last, years)
    except (TypeError, ValueError, OverflowError, calendar.IllegalMonthError):
        return {"show": False}

    def link(values: list[int]) -> str:
        return changes.get_query_string(dict(zip(names, map(str, values), strict=False)), names)

    choices: list[Step] = [
        {"title": title, "link": link(values) if values != chosen else None}
        for title, values in steps
    ]
    back = {"title": _title(chosen[:-1]), "link": link(chosen[:-1])} if chosen else None
    return {"show": True, "back": back, "choices": choices}


def _ends(changes: ChangeList, name: str) -> tuple[date, date]:
    times = changes.root_queryset.order_by(name).values_list(name, flat=True)
    return _day(times.first()), _day(times.last())


def _years(changes: ChangeList, name: str, first: int, last: int) -> list[int]:
    """Those that have rows, of which these are the first and the last: an index's entry each."""
    times = changes.root_queryset.order_by(name).values_list(name, flat=True)
    years = [first]
    while years[-1] < last:
        new_year = datetime(years[-1] + 1, 1, 1, tzinfo=timezone.get_current_timezone())
        years.append(_day(times.filter(**{f"{name}__gte": new_year}).first()).year)
    return years


def _day(moment: datetime | None) -> date:
    if moment is None:
        raise ValueError("There are no rows.")
    return timezone.localtime(moment).date()


def _steps(
    chosen: list[int], first: date, last: date, years: list[int]
) -> list[tuple[str, list[int]]]:
    if len(years) > 1:
        return [(str(year), [year]) for year in years]
    year, *rest = chosen or [first.year]
    if not rest:
        months = [date(year, month, 1) for month in MONTHS]
        return [
            (str(MONTHS[month.month]), [year, month.month])
            for month in months
            if (first.year, first.month) <= (year, month.month) <= (last.year, last.month)
        ]
    days = range(1, calendar.monthrange(year, rest[0])[1] + 1)
    if rest[1:]:
        return [(_title(chosen), chosen)]
    return [(str(day), [year, rest[0], day]) for day in days]


def _title(chosen: list[int]) -> str:
    if not chosen:
        return "All dates"
    year, *rest = map(str, chosen)
    named = [str(MONTHS[chosen[1]])] if rest else []
    return " ".join([*reversed(rest[1:]), *named, year])
