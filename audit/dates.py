"""Narrowing a list down by year, month and day, without asking which of them have rows."""

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

    In the zone in force. The first and the last row tell the years; every month and day
    between them is offered.
    """
    name = changes.date_hierarchy
    names = [f"{name}__{unit}" for unit in ("year", "month", "day")]
    try:
        chosen = [int(changes.params[param]) for param in names if param in changes.params]
        first, last = _ends(changes, str(name))
        steps = _steps(chosen, first, last)
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


def _day(moment: datetime | None) -> date:
    if moment is None:
        raise ValueError("There are no rows.")
    return timezone.localtime(moment).date()


def _steps(chosen: list[int], first: date, last: date) -> list[tuple[str, list[int]]]:
    if not chosen and first.year != last.year:
        return [(str(year), [year]) for year in range(first.year, last.year + 1)]
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
