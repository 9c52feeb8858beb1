"""Numbers and moments as pages write them: {% load figures %}."""

from __future__ import annotations

from typing import Any

from django import template

from audit import shown
from tradelog import figures

register = template.Library()

for write in (
    figures.money,
    figures.signed_money,
    figures.short_money,
    shown.exact,
    figures.percent,
    figures.ratio,
    shown.age,
    figures.latency,
):
    register.filter(write.__name__, write)


@register.filter
def moment(value: Any) -> str:
    """In the user's zone, to the second; UTC on hover."""
    return shown.as_time(value)


@register.filter
def minute(value: Any) -> str:
    """As `moment`, to the minute."""
    return shown.as_time(value, with_seconds=False)


@register.filter
def thousands(value: int) -> str:
    """1,234."""
    return f"{value:,}"
