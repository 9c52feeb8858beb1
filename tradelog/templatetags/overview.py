"""Addresses of the Overview's other views: {% load overview %}."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.dateformat import format as written

from tradelog.overview_filters import Filters

register = template.Library()


@register.simple_tag
def narrowed(filters: Filters, parameter: str, value: Any) -> str:
    """The same view, of this strategy or symbol, or in this currency."""
    return filters.url(**{parameter: value})


@register.simple_tag
def within(filters: Filters, cell: Any) -> str:
    """The same view, of the days of a calendar's cell."""
    return filters.url(first=cell.first, last=cell.last)


@register.filter
def days(cell: Any) -> str:
    """From a cell's first to its last day: 28–30 November 2025."""
    first, last = cell.first, cell.last
    if first.year != last.year:
        begin = written(first, "j F Y – ")
    elif first.month != last.month:
        begin = written(first, "j F – ")
    else:
        begin = written(first, "j–") if first != last else ""
    return begin + written(last, "j F Y")
