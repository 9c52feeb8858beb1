"""Dates with times as TradingView writes them, and as spreadsheets write them anew."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import cache
from typing import Final

from django.utils import dates, translation

from trades.exports.unreadable import CellUnreadable, shown
from trades.exports.vocabulary import HEADERS, plain_words


class Order(Enum):
    """How 04/03/2025 is meant."""

    DAY_FIRST = "day first"
    MONTH_FIRST = "month first"


#: How far clocks go back in autumn, at most.
_CLOCKS_GO_BACK: Final = timedelta(hours=1)

#: Characters a time may take.
_LONGEST: Final = 60

_AFTERNOON: Final = ("pm", "p m", "오후", "午後", "下午")
_MORNING: Final = ("am", "a m", "오전", "午前", "上午")

#: As TradingView itself writes times; the others only come by way of other programs.
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?", re.ASCII)
_YEAR_FIRST: Final = re.compile(
    r"(\d{4})\s*[-/.年년]\s*(\d{1,2})\s*[-/.月월]\s*(\d{1,2})\s*[日일.]?(?!\d)(.*)", re.DOTALL
)
_YEAR_LAST: Final = re.compile(
    r"(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*\2\s*(\d{4}|\d{2})(?!\d)(.*)", re.DOTALL
)
_CLOCK: Final = re.compile(
    r"[\s,T]*(?P<before>[^\d\s:][^\d:]*)?(?P<hour>\d{1,2})\s*[:.h時时시点點]\s*(?P<minute>\d{2})\s*[分분]?"
    r"(?:\s*[:.]\s*(?P<second>\d{2})(?:\.0+)?)?\s*(?P<after>[^\d\s:+-][^\d:+-]*)?"
)
#: Small words around the clock's time.
_ABOUT_A_CLOCK: Final = ("", "h", "uhr", "um", "at", "a", "a las", "as", "г", "г в", "в")  # noqa: RUF001
#: An offset follows a clock; after a day and a month it is a year.
_ZONE: Final = re.compile(
    r"\d\s*(?:Z|UTC.*|GMT.*)$|[:.h]\d{2}(?:[:.]\d{2})?(?:\.\d+)?\s*[+-]\d{2}:?\d{2}$"
)


def read_time(value: object, order: Order) -> datetime:
    """The time of the chart a cell tells, without a zone; raises CellUnreadable."""
    match value:
        case datetime():
            # A spreadsheet's day is a fraction, which falls a little short of the second.
            return (value + timedelta(milliseconds=500)).replace(microsecond=0, tzinfo=None)
        case date():
            return datetime.combine(value, time.min)
        case str() if len(value) <= _LONGEST:
            try:
                if _ISO.fullmatch(value):
                    return datetime.fromisoformat(value)
                return _read_text(unicodedata.normalize("NFKC", value).strip(), order)
            except ValueError:
                pass
    raise CellUnreadable(f"{shown(value)} is no date; such as 2025-03-04 14:30")


def may_follow(entered: datetime, left: datetime) -> bool:
    """Whether a trade may have been left then: clocks may have gone back while it was open."""
    return entered - left < _CLOCKS_GO_BACK


def may_be_either(value: object) -> bool:
    """Whether both orders read this cell, and differently."""
    if not _has_an_order(value):
        return False
    try:
        return read_time(value, Order.DAY_FIRST) != read_time(value, Order.MONTH_FIRST)
    except CellUnreadable:
        return False


def tells_half_of_day(value: object) -> bool:
    """Whether it is a time with am or pm, which those write who write the month first."""
    return isinstance(value, str) and bool(re.search(r"\d\s*[ap]\.?\s?m\b", value, re.IGNORECASE))


def order_among(values: Sequence[object]) -> tuple[Order, ...]:
    """The orders in which each of these can be read that has an order."""
    ordered = [value for value in values if _has_an_order(value)]
    return tuple(order for order in Order if all(_is_readable(value, order) for value in ordered))


def _has_an_order(value: object) -> bool:
    return isinstance(value, str) and bool(_YEAR_LAST.match(value.strip()))


def _is_readable(value: object, order: Order) -> bool:
    try:
        read_time(value, order)
    except CellUnreadable:
        return False
    return True


def _read_text(text: str, order: Order) -> datetime:
    if _ZONE.search(text):
        raise CellUnreadable(f"{shown(text)} names a zone; a list of trades has the chart's times")
    if found := _YEAR_FIRST.match(text):
        year, month, day, rest = found.groups()
    elif found := _YEAR_LAST.match(text):
        day, mark, month, year, rest = found.groups()
        # Nobody writes the month first with points.
        if order is Order.MONTH_FIRST and mark != ".":
            day, month = month, day
    else:
        day, month, year, rest = _with_month_name(text)
    century = 2000 if len(year) == 2 else 0
    return datetime.combine(date(century + int(year), int(month), int(day)), _clock(rest))


def _with_month_name(text: str) -> tuple[str, str, str, str]:
    """Day, month and year of 5 Jan 2026, Jan 5, 2026 or Mon 05 Jan '26, and what follows."""
    words = re.match(
        r"(?P<before>[^\d]*)(?P<first>\d{1,2})(?P<between>[^\d]*)"
        r"(?P<year>\d{4}|\d{2})(?!\d)(?P<rest>.*)",
        text,
        re.DOTALL,
    )
    if words is None:
        raise ValueError(text)
    for name in (*plain_words(words["between"]).split(), *plain_words(words["before"]).split()):
        if (month := _month(name)) is not None:
            return words["first"], str(month), words["year"], words["rest"]
    raise ValueError(text)


def _clock(text: str) -> time:
    if not text.strip(" ,T\t"):
        return time.min
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise ValueError(text)
    hour = int(found["hour"])
    half = f"{found['before'] or ''} {found['after'] or ''}".strip()
    half = plain_words(half) if half else ""
    if half in _plain_halves(_AFTERNOON):
        hour = hour % 12 + 12
    elif half in _plain_halves(_MORNING):
        hour %= 12
    elif half not in _ABOUT_A_CLOCK:
        raise ValueError(text)
    return time(hour, int(found["minute"]), int(found["second"] or 0))


@cache
def _plain_halves(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(plain_words, words))


@cache
def _month(word: str) -> int | None:
    """The month whose name in some language begins so; None if no month's does, or several'."""
    found = {number for name, number in _months() if len(word) >= 3 and name.startswith(word)}
    return found.pop() if len(found) == 1 else None


@cache
def _months() -> frozenset[tuple[str, int]]:
    """The months' names in all languages, as Django knows them, and declined."""
    known = set()
    for language in HEADERS.keys() - {"ja", "ko", "zh"}:  # Those count their months.
        with translation.override(language):
            for names in (dates.MONTHS, dates.MONTHS_ALT):
                known |= {(plain_words(str(name)), int(month)) for month, name in names.items()}
    return frozenset(known)
