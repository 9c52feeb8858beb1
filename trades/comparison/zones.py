"""Finds the time zone of the chart that an export came from, which it does not say."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from trades.comparison.groups import TradeGroup
from trades.comparison.tolerances import Tolerances
from trades.direction import Direction
from trades.exports.exported import ExportedTrade

#: Where several zones have kept the same time, the first of these names it; cities that
#: TradingView offers and that have exchanges.
_USUAL: Final = (
    "UTC", "America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin",
    "Europe/Zurich", "Europe/Moscow", "Asia/Dubai", "Asia/Kolkata", "Asia/Singapore",
    "Asia/Hong_Kong", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney", "America/Sao_Paulo",
    "America/Toronto", "America/Los_Angeles", "America/Denver", "Asia/Bangkok",
)  # fmt: skip

#: How far clocks are from UTC: from Baker Island to Kiritimati.
_WEST: Final = timedelta(hours=-12)
_EAST: Final = timedelta(hours=14)

#: Trades that are looked at, spread evenly over the export.
_MOST_SAMPLED: Final = 1000

_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([-+−])(\d{1,2})(?::?([0-5]\d))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ZoneFit:
    """A zone, and how well TradingView's times in it are ours."""

    name: str
    #: Trades of the sample that one of ours was entered with, in this zone.
    fitted: int
    #: In the best of the other zones that kept another time, None if there is none.
    rival: str | None
    rival_fitted: int
    sampled: int

    @property
    def is_sure(self) -> bool:
        """Whether half of the trades fit, and in every other zone fewer do."""
        return self.fitted * 2 >= self.sampled > 0 and self.fitted > self.rival_fitted


def zone_named(name: str) -> tzinfo:
    """`Europe/Berlin`, `UTC`, `UTC+5:30` or `-03:00`; raises ValueError."""
    if name.upper() in ("UTC", "GMT", "Z"):
        return UTC
    if found := _OFFSET.fullmatch(name.strip()):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        offset = offset if found[1] == "+" else -offset
        if _WEST <= offset <= _EAST:
            return timezone(offset)
    try:
        return ZoneInfo(name.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone; such as Europe/Berlin, America/New_York or UTC+5:30"
        ) from None


@cache
def zone_names() -> tuple[str, ...]:
    """Every zone that is tried, those first that a name is taken from before others."""
    known = available_timezones()
    places = sorted(name for name in known if re.match(r"[A-Z][a-z]+/", name) and name[:3] != "Etc")
    usual = [name for name in _USUAL if name == "UTC" or name in known]
    half_hours = range(int(_WEST / _HALF_HOUR), int(_EAST / _HALF_HOUR) + 1)
    return tuple(dict.fromkeys([*usual, *places, *map(_offset_name, half_hours)]))


_HALF_HOUR: Final = timedelta(minutes=30)


def _offset_name(half_hours: int) -> str:
    hours, half = divmod(abs(half_hours), 2)
    return f"UTC{'-' if half_hours < 0 else '+'}{hours:02}:{half * 30:02}"


class ZoneSearch:
    """Tries one export's times in every zone against the trades of one book or another."""

    def __init__(self, trades: Sequence[ExportedTrade], tolerances: Tolerances) -> None:
        step = max(1, -(-len(trades) // _MOST_SAMPLED))
        self._sample = trades[::step]
        self._tolerances = tolerances
        #: The zones by the offsets they had at the sampled times, in the order of names.
        self._zones: dict[tuple[timedelta, ...], list[str]] = defaultdict(list)
        for name in zone_names():
            zone = zone_named(name)
            # Subtracting is much faster than asking a zone for its offset of an aware time.
            offsets = tuple(
                zone.utcoffset(trade.entry_time) or timedelta() for trade in self._sample
            )
            self._zones[offsets].append(name)

    def best(self, ours: Sequence[TradeGroup]) -> ZoneFit | None:
        """The zone in which most of the export's trades were entered with ours; None if none."""
        told = _offsets_told(self._sample, ours, self._tolerances)
        tried = [(self._fitting(offsets, told), names) for offsets, names in self._zones.items()]
        tried.sort(key=lambda one: -one[0])  # Stable: the order of names among equals.
        (fitted, names), *others = tried
        if not fitted:
            return None
        rival_fitted, rivals = others[0] if others else (0, names)
        rival = rivals[0] if rival_fitted else None
        return ZoneFit(names[0], fitted, rival, rival_fitted, len(self._sample))

    def fitted(self, zone: tzinfo, ours: Sequence[TradeGroup]) -> int:
        """How many of the sampled trades were entered with ours, in this zone."""
        offsets = tuple(zone.utcoffset(trade.entry_time) or timedelta() for trade in self._sample)
        return self._fitting(offsets, _offsets_told(self._sample, ours, self._tolerances))

    def _fitting(
        self, offsets: tuple[timedelta, ...], told: Mapping[int, Sequence[timedelta]]
    ) -> int:
        return sum(
            any(abs(offset - offsets[number]) <= self._tolerances.time for offset in each)
            for number, each in told.items()
        )


def _offsets_told(
    trades: Sequence[ExportedTrade], ours: Sequence[TradeGroup], tolerances: Tolerances
) -> dict[int, list[timedelta]]:
    """By the number of a trade: how far its entry is from those of ours that it may be."""
    by_direction: dict[Direction, list[TradeGroup]] = defaultdict(list)
    for group in sorted(ours, key=lambda group: group.entry_time):
        by_direction[group.direction].append(group)
    told = {}
    for number, trade in enumerate(trades):
        known = by_direction[trade.direction]
        entered = trade.entry_time.replace(tzinfo=UTC)
        first = bisect_left(known, entered - _EAST - tolerances.time, key=_entry_time)
        last = bisect_right(known, entered - _WEST + tolerances.time, key=_entry_time)
        offsets = {
            entered - group.entry_time
            for group in known[first:last]
            if _is_alike(trade, group, tolerances)
        }
        if offsets:
            told[number] = list(offsets)
    return told


def _entry_time(group: TradeGroup) -> datetime:
    return group.entry_time


def _is_alike(trade: ExportedTrade, group: TradeGroup, tolerances: Tolerances) -> bool:
    def agree(one: Decimal | None, other: Decimal | None) -> bool:
        if one is None or other is None:
            return True
        return abs(one - other) <= tolerances.price.limit(one, other)

    return agree(trade.entry_price, group.entry_price) and agree(trade.exit_price, group.exit_price)


def instant(
    local: datetime, zone: tzinfo, known: Sequence[datetime], tolerance: timedelta
) -> datetime:
    """A chart's time in UTC.

    An hour that clocks went through twice is the first one, unless only in the second
    one something happened here; `known` are the times at which it did, in order.
    """
    first, second = _folds(local, zone)
    if first < second and not _has_near(known, first, tolerance):
        return second if _has_near(known, second, tolerance) else first
    return first


def instants(
    entered: datetime, left: datetime, zone: tzinfo, known: Sequence[datetime], tolerance: timedelta
) -> tuple[datetime, datetime]:
    """A trade's entry and exit in UTC, each as `instant` has it.

    But where the exit came before the entry so, it is in the later of the two hours, and if
    need be the entry in the earlier one; where that does not help, it does come before.
    """
    entry, leaving = (instant(local, zone, known, tolerance) for local in (entered, left))
    if leaving < entry:
        leaving = max(_folds(left, zone))
    if leaving < entry:
        entry = min(_folds(entered, zone))
    return entry, leaving


def _folds(local: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Both times in UTC that a chart's time may be; mostly they are the same."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second


def _has_near(known: Sequence[datetime], time: datetime, tolerance: timedelta) -> bool:
    place = bisect_left(known, time - tolerance)
    return place < len(known) and known[place] <= time + tolerance
