"""A model's values as lists and pages of the admin show them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.db import models
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.shown import NONE, as_time, exact, gain


@cache
def column(
    model: Any, name: str, *, title: str | None = None, is_gain: bool = False
) -> str | Callable:
    """What the admin shows for this field of a model: itself, or how its values are written.

    `title` is what it is called, the field's own name by default; `is_gain` says that its
    sign is what matters about it.
    """
    field = model._meta.get_field(name)
    write = _writer(field, is_gain)
    if write is None:
        return name

    def shown(row: models.Model) -> SafeString | str:
        return write(getattr(row, name))

    # What the admin goes by: the column's class, its title and its order.
    shown.__name__ = name
    shown.short_description = title or field.verbose_name  # type: ignore[attr-defined]
    shown.admin_order_field = name  # type: ignore[attr-defined]
    return shown


def badge(word: str) -> SafeString | str:
    """A word of a few, such as a state, as a label whose colour goes with it."""
    return format_html('<span class="badge badge-{0}">{0}</span>', word) if word else NONE


def _writer(field: Any, is_gain: bool) -> Callable[[Any], SafeString | str] | None:
    if isinstance(field, models.DecimalField):
        return _right_aligned(gain if is_gain else exact)
    if isinstance(field, models.DateTimeField):
        return as_time
    if isinstance(field, models.CharField) and field.choices:
        return badge
    return None


def _right_aligned(write: Callable[[Any], str]) -> Callable[[Any], SafeString]:
    return lambda value: format_html('<span class="number">{}</span>', write(value))
