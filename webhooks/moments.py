"""How an alert's times are read; as with its other values (webhooks.values), none is guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from webhooks.values import WHITESPACE, Unreadable, number, shown

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(value: object) -> datetime:
    """A point in time, in UTC."""
    try:
        found = _from_iso(value) or _from_epoch(value)
    except (ValueError, OverflowError, Unreadable):
        found = None
    if found is None or not 1970 <= found.year <= 2200:
        raise Unreadable(
            f"{shown(value)} is no time from 1970 to 2200; send one such as"
            " 2026-01-05T14:30:00Z, or seconds or milliseconds since 1970"
        )
    return found


_ISO: Final = re.compile(r"[0-9]{4}(-?)[0-9]{2}\1[0-9]{2}(?:[Tt ][0-9].*)?", re.ASCII)


def _from_iso(value: object) -> datetime | None:
    text = value.strip(WHITESPACE) if isinstance(value, str) else ""
    if not _ISO.fullmatch(text):
        return None
    found = datetime.fromisoformat(text.upper())
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _from_epoch(value: object) -> datetime:
    since = number(value)
    if since < 10**8:
        # No alert is of before 1973. It is a date without its dashes (20261127), say.
        raise Unreadable(f"{shown(value)} is no such number")
    # 1e11 seconds is the year 5138; 1e11 milliseconds is 1973.
    units = 1000 if since >= 10**11 else 1
    numerator, denominator = since.as_integer_ratio()
    return _EPOCH + timedelta(microseconds=numerator * 10**6 // (denominator * units))
