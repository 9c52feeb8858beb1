"""Days of a calendar, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo


@dataclass(frozen=True, slots=True)
class Period:
    """From its first day to its last, both included."""

    first: date
    last: date

    def bounds(self, zone: tzinfo) -> tuple[datetime, datetime]:
        """From when, and until before when, it lasts; `zone` is whose midnight begins a day."""
        begin = datetime.combine(self.first, time.min, zone)
        return begin, datetime.combine(self.last + timedelta(days=1), time.min, zone)
