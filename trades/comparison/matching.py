"""Which of TradingView's trades is which of ours."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from trades.comparison.assignment import assign
from trades.comparison.groups import TradeGroup
from trades.comparison.tolerances import Tolerances
from trades.direction import Direction
from trades.numeric import exactly

FIELDS: Final = ("entry_time", "entry_price", "exit_time", "exit_price", "quantity")

#: For one trade, at most so many of the other side are looked at, those nearest in time.
#: Where as many entered at one time, which is which could not be told anyway.
_MOST_LOOKED_AT: Final = 60

_MICROSECOND: Final = timedelta(microseconds=1)

#: A difference of as much as the tolerance, as a cost; and the most a difference counts.
_UNIT: Final = 1_000_000
_MOST: Final = 10**15


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that two trades tell differently, past the tolerance."""

    field: str
    #: None where the trade is open.
    theirs: datetime | Decimal | None
    ours: datetime | Decimal | None

    @property
    def by(self) -> timedelta | Decimal | None:
        """Ours less theirs; None where one of them is open."""
        if isinstance(self.ours, datetime) and isinstance(self.theirs, datetime):
            return self.ours - self.theirs
        if isinstance(self.ours, Decimal) and isinstance(self.theirs, Decimal):
            with exactly():
                return self.ours - self.theirs
        return None


@dataclass(frozen=True, slots=True)
class Pair:
    """A trade as TradingView lists it and as it stands here."""

    theirs: TradeGroup
    ours: TradeGroup
    #: Empty where it matches.
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Matching:
    """Every trade of both sides once."""

    matched: list[Pair]
    differing: list[Pair]
    only_theirs: list[TradeGroup]
    only_ours: list[TradeGroup]


def match(
    theirs: Sequence[TradeGroup], ours: Sequence[TradeGroup], tolerances: Tolerances
) -> Matching:
    """Pair trades one to one; both sides taken together before.

    First those that are equal. Then, of the same direction and with every field within
    the tolerances, as many as can be, and among those the nearest. What is left may still
    be the same trade told differently: where both times agree, or time and price of the
    entry, or of the exit, they are paired by the fewest differences.
    """
    with exactly():
        equal, theirs, ours = _equal(theirs, ours)
        near, theirs, ours = _assigned(theirs, ours, _Near(ours, tolerances))
        differing, theirs, ours = _assigned(theirs, ours, _Alike(ours, tolerances))
        return Matching(
            sorted((*equal, *near), key=lambda pair: pair.theirs.entry_time),
            [
                Pair(pair.theirs, pair.ours, _differences(pair.theirs, pair.ours, tolerances))
                for pair in differing
            ],
            list(theirs),
            list(ours),
        )


_Paired = tuple[list[Pair], Sequence[TradeGroup], Sequence[TradeGroup]]


def _equal(theirs: Sequence[TradeGroup], ours: Sequence[TradeGroup]) -> _Paired:
    by_value = {(*group.key, group.quantity): group for group in ours}
    pairs, left = [], []
    for group in theirs:
        same = by_value.pop((*group.key, group.quantity), None)
        if same is None:
            left.append(group)
        else:
            pairs.append(Pair(group, same))
    return pairs, left, sorted(by_value.values(), key=lambda group: group.entry_time)


def _assigned(
    theirs: Sequence[TradeGroup], ours: Sequence[TradeGroup], candidates: _Candidates
) -> _Paired:
    assigned = assign([dict(candidates.of(group)) for group in theirs])
    taken = set(assigned.values())
    return (
        [Pair(theirs[number], ours[other]) for number, other in sorted(assigned.items())],
        [group for number, group in enumerate(theirs) if number not in assigned],
        [group for number, group in enumerate(ours) if number not in taken],
    )


class _Candidates:
    """Which of our trades may be one of TradingView's, and how far apart the two are."""

    def __init__(self, ours: Sequence[TradeGroup], tolerances: Tolerances) -> None:
        self._ours = ours
        self._tolerances = tolerances
        self._entries, self._exits = _ByTime(), _ByTime()
        for number, group in enumerate(ours):
            self._entries.add(group.direction, group.entry_time, number)
            if group.exit_time is not None:
                self._exits.add(group.direction, group.exit_time, number)
        self._entries.sort()
        self._exits.sort()

    def of(self, theirs: TradeGroup) -> Iterator[tuple[int, int]]:
        """Our trades' numbers and the cost of taking each for this one."""
        raise NotImplementedError

    def _entered_with(self, theirs: TradeGroup) -> list[int]:
        return self._entries.near(theirs.direction, theirs.entry_time, self._tolerances.time)

    def _left_with(self, theirs: TradeGroup) -> list[int]:
        if theirs.exit_time is None:
            return []
        return self._exits.near(theirs.direction, theirs.exit_time, self._tolerances.time)


class _Near(_Candidates):
    """Those that agree in every field."""

    def of(self, theirs: TradeGroup) -> Iterator[tuple[int, int]]:
        for number in self._entered_with(theirs):
            distances = [
                _distance(theirs, self._ours[number], field, self._tolerances) for field in FIELDS
            ]
            if max(distances) <= _UNIT:
                yield number, sum(distances)


class _Alike(_Candidates):
    """Those that agree in enough to be the same trade, told differently."""

    def of(self, theirs: TradeGroup) -> Iterator[tuple[int, int]]:
        for number in {*self._entered_with(theirs), *self._left_with(theirs)}:
            distance = {
                field: _distance(theirs, self._ours[number], field, self._tolerances)
                for field in FIELDS
            }
            agreeing = {field for field in FIELDS if distance[field] <= _UNIT}
            if any(enough <= agreeing for enough in _ENOUGH):
                differing = len(FIELDS) - len(agreeing)
                yield number, differing * len(FIELDS) * _MOST + sum(distance.values())


_ENOUGH: Final = (
    frozenset({"entry_time", "exit_time"}),
    frozenset({"entry_time", "entry_price"}),
    frozenset({"exit_time", "exit_price"}),
)


class _ByTime:
    """Trades' numbers in the order of a time, by direction."""

    def __init__(self) -> None:
        self._known: dict[Direction, list[tuple[datetime, int]]] = defaultdict(list)

    def add(self, direction: Direction, time: datetime, number: int) -> None:
        self._known[direction].append((time, number))

    def sort(self) -> None:
        for known in self._known.values():
            known.sort()

    def near(self, direction: Direction, time: datetime, tolerance: timedelta) -> list[int]:
        """Those at most so far away; where they are too many, the nearest."""
        known = self._known[direction]
        first = bisect_left(known, time - tolerance, key=_first)
        last = bisect_right(known, time + tolerance, key=_first)
        if last - first > _MOST_LOOKED_AT:
            middle = bisect_left(known, time, lo=first, hi=last, key=_first)
            first = max(first, min(middle, last - _MOST_LOOKED_AT // 2) - _MOST_LOOKED_AT // 2)
            last = min(last, first + _MOST_LOOKED_AT)
        return [number for _, number in known[first:last]]


def _first(known: tuple[datetime, int]) -> datetime:
    return known[0]


def _distance(theirs: TradeGroup, ours: TradeGroup, field: str, tolerances: Tolerances) -> int:
    """How far apart a field is told: _UNIT is as much as the tolerance allows."""
    one, other = getattr(theirs, field), getattr(ours, field)
    if one == other:
        return 0
    if one is None or other is None:
        return _MOST
    if isinstance(one, datetime):
        apart = Decimal(abs(one - other) // _MICROSECOND)
        limit = Decimal(tolerances.time // _MICROSECOND)
    else:
        tolerance = tolerances.quantity if field == "quantity" else tolerances.price
        apart, limit = abs(one - other), tolerance.limit(one, other)
    if not limit:
        return _MOST
    distance = int(_UNIT * float(apart) / float(limit))
    # What is exactly as much as allowed is within it, whatever floats make of that.
    return min(distance, _UNIT) if apart <= limit else min(max(distance, _UNIT + 1), _MOST)


def _differences(
    theirs: TradeGroup, ours: TradeGroup, tolerances: Tolerances
) -> tuple[Difference, ...]:
    return tuple(
        Difference(field, getattr(theirs, field), getattr(ours, field))
        for field in FIELDS
        if _distance(theirs, ours, field, tolerances) > _UNIT
    )
