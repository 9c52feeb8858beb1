"""Values on pages: {% load shown %}."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import template

from audit import shown
from audit.columns import badge
from audit.dates import date_steps

register = template.Library()

register.filter("exact", shown.exact)
register.filter("gain", shown.gain)
register.filter("moment", shown.as_time)
register.filter("badge", badge)


@register.filter
def delay(passed: timedelta) -> str:
    """How long after: 3.2 s; 5 min 3 s; before, where it is below zero."""
    seconds = passed.total_seconds()
    size = abs(passed)
    whole = int(size.total_seconds())
    if whole < 60:
        told = f"{abs(seconds):.1f} s"
    elif whole < 3600:
        told = f"{whole // 60} min {whole % 60} s"
    elif whole < 86_400:
        told = f"{whole // 3600} h {whole % 3600 // 60} min"
    else:
        told = f"{size.days:,} d {whole % 86_400 // 3600} h"
    return f"{told} early" if seconds < 0 else told


@register.inclusion_tag("admin/date_hierarchy.html")
def dates(changes: Any) -> dict[str, Any]:
    """The years, months or days to narrow a list down by."""
    return date_steps(changes)
