"""How values are written on pages: numbers exact and thousands apart, times in the user's
zone. Nothing is computed with what is written here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

#: What stands where there is nothing.
NONE: Final = "–"
_MINUS: Final = "−"

_TO_THE_SECOND: Final = "%Y-%m-%d %H:%M:%S"
_TO_THE_MINUTE: Final = "%Y-%m-%d %H:%M"


def digits(number: Decimal) -> str:
    """Every digit it has, without exponent or padding, for programs: 1234.5678; -3."""
    return _written(number, "f")


def exact(number: Decimal | None) -> str:
    """The same for people, thousands apart: 1,234.5678; −3."""
    if number is None:
        return NONE
    return _written(number, ",f").replace("-", _MINUS)


def _written(number: Decimal, form: str) -> str:
    if not number:
        return "0"  # Also of -0.
    told = f"{number:{form}}"
    return told.rstrip("0").rstrip(".") if "." in told else told


def gain(number: Decimal | None) -> SafeString | str:
    """As `exact`, with a plus where it is one, and as HTML that colours it by its sign."""
    if number is None:
        return NONE
    kind, sign = ("gain", "+") if number > 0 else ("loss", "") if number < 0 else ("even", "")
    return format_html('<span class="{}">{}{}</span>', kind, sign, exact(number))


def preformatted(text: str) -> SafeString:
    """A text as HTML, its lines and spaces as they are; one scrolls in it by keyboard as well."""
    return format_html('<pre tabindex="0" class="message">{}</pre>', text)


def as_time(moment: datetime | None, *, with_seconds: bool = True) -> SafeString | str:
    """A moment in the zone in force, as HTML; in UTC and to the millisecond on hover."""
    if moment is None:
        return NONE
    universal = moment.astimezone(UTC)
    told = f"{universal:%Y-%m-%d %H:%M:%S}.{universal.microsecond // 1000:03}"
    return format_html(
        '<time datetime="{}Z" title="{} UTC">{}</time>',
        told.replace(" ", "T"),
        told.removesuffix(".000"),
        f"{timezone.localtime(moment):{_TO_THE_SECOND if with_seconds else _TO_THE_MINUTE}}",
    )


def counted(number: int, one: str, several: str = "") -> str:
    """How many of something: 1 trade, 2,000 trades; `several` where that is not one with an s."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def age(passed: timedelta) -> str:
    """How long, by its two largest units: 3 d 4 h, 12 min 5 s, 40 s."""
    seconds = max(0, int(passed.total_seconds()))
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        number, seconds = divmod(seconds, size)
        if number or parts:
            parts.append(f"{number:,} {unit}" if number else "")
    return " ".join(filter(None, parts[:2])) or "0 s"
