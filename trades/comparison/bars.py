"""What was entered here within the bar in which TradingView lists an entry."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Final

from trades.comparison.groups import TradeGroup
from trades.comparison.tolerances import Tolerances
from trades.direction import Direction
from trades.numeric import exactly

_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=31)

#: Days are so long where clocks go forward.
_SHORTEST_DAY: Final = timedelta(hours=23)

#: Of those that were entered with one trade, so many are told.
_MOST_TOLD: Final = 60


@dataclass(frozen=True, slots=True)
class Bar:
    """How long the bars of an export may be.

    It tells when a bar began; a stop or a limit is filled, and its alert sent, at any time
    within.
    """

    length: timedelta

    @classmethod
    def of(cls, theirs: Iterable[TradeGroup]) -> Bar:
        """No longer than the least that lies between two of their times; never too short."""
        times = sorted(
            {time for group in theirs for time in (group.entry_time, group.exit_time) if time}
        )
        steps = (later - earlier for earlier, later in pairwise(times))
        return cls(min(min(steps, default=_DAY), _MONTH))

    @property
    def before(self) -> timedelta:
        """How long before the time told it may have begun.

        Of a day the date alone is told, and its session may begin the evening before.
        """
        return _DAY if self.length >= _SHORTEST_DAY else timedelta()

    def holds(self, told: datetime, moment: datetime) -> bool:
        """Whether the moment may be of the bar for which this time is told."""
        return told - self.before <= moment < told + self.length


def entered_with(
    theirs: Sequence[TradeGroup], ours: Sequence[TradeGroup], tolerances: Tolerances, bar: Bar
) -> list[tuple[TradeGroup, ...]]:
    """For each of TradingView's trades, ours of that side that were entered when it was.

    At its time at whatever price: a correction may have changed it, or the message tells
    another one. Elsewhere in its bar, at its price.
    """
    by_direction: dict[Direction, list[TradeGroup]] = defaultdict(list)
    for group in sorted(ours, key=_entry_time):
        by_direction[group.direction].append(group)

    def is_entered_with(group: TradeGroup, their: TradeGroup) -> bool:
        if abs(group.entry_time - their.entry_time) <= tolerances.time:
            return True
        limit = tolerances.price.limit(group.entry_price, their.entry_price)
        return (
            bar.holds(their.entry_time, group.entry_time)
            and abs(group.entry_price - their.entry_price) <= limit
        )

    def found(their: TradeGroup) -> tuple[TradeGroup, ...]:
        known = by_direction[their.direction]
        since = their.entry_time - max(tolerances.time, bar.before)
        until = their.entry_time + max(tolerances.time, bar.length)
        first = bisect_left(known, since, key=_entry_time)
        last = bisect_right(known, until, key=_entry_time)
        then = (group for group in known[first:last] if is_entered_with(group, their))
        return tuple(islice(then, _MOST_TOLD))

    with exactly():
        return [found(their) for their in theirs]


def _entry_time(group: TradeGroup) -> datetime:
    return group.entry_time
