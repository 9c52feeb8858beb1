"""What the log still holds: entries that wait, entries that failed, alerts that came twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import CharField, Count, Min
from django.db.models.functions import Cast, Coalesce

from wal import journal
from wal.arrival import BY_MAIL, had_at
from wal.models import UNSETTLED, EntryStatus, Refusal
from wal.writer import ALIAS


@dataclass(frozen=True, slots=True)
class Waiting:
    """The entries of one state."""

    status: EntryStatus
    entries: int
    #: UTC; when the service had the first of them, or parked it; None where there are none.
    oldest: datetime | None

    @property
    def since(self) -> datetime:
        """UTC; when the oldest came. There must be one."""
        assert self.oldest is not None
        return self.oldest


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the log holds now, and what it noted since some time."""

    #: Those that still want their effect, or wait for their entry.
    waiting: tuple[Waiting, ...]
    #: Since the time asked for.
    failed: int
    duplicates: int
    #: Duplicates that something is noted of, by when they were found to be ones: an outage may
    #: have held them up.
    doubtful: int
    refused: int

    @property
    def entries(self) -> int:
        """How many still want their effect."""
        return sum(each.entries for each in self.waiting)

    @property
    def oldest(self) -> datetime | None:
        """UTC; when the service had the oldest of them."""
        return min((each.oldest for each in self.waiting if each.oldest), default=None)

    def overdue(self, now: datetime, *, soon: timedelta, parking: timedelta) -> tuple[Waiting, ...]:
        """The states whose oldest entry waits longer than `soon`: held up by something.

        `parking` is how long an exit may wait for its entry on top of that.
        """
        patience = {EntryStatus.PARKED: parking + soon}
        return tuple(
            each
            for each in self.waiting
            # One that comes from far ahead came before the clock was put back.
            if each.oldest and abs(now - each.oldest) > patience.get(each.status, soon)
        )


def waiting() -> tuple[Waiting, ...]:
    """What waits now, by state; raises what the log's database raises."""
    found = {
        row["status"]: row
        # Two queries, since each has an index that holds its states alone.
        for entries in (journal.unsettled(), journal.having(EntryStatus.PARKED))
        for row in entries.values("status").annotate(
            entries=Count("id"),
            received=Min("received_at"),
            first=Min("received_at", filter=~BY_MAIL),
            # As text, since PostgreSQL knows no least of ids.
            first_mail=Min(Cast("correlation_id", CharField()), filter=BY_MAIL),
            parked=Min(Coalesce("settled_at", "received_at")),
        )
    }
    return tuple(
        Waiting(
            status,
            found[status]["entries"] if status in found else 0,
            _oldest(found[status]) if status in found else None,
        )
        for status in (*UNSETTLED, EntryStatus.PARKED)
    )


def _oldest(row: Mapping[str, Any]) -> datetime:
    if row["status"] == EntryStatus.PARKED:
        parked: datetime = row["parked"]
        return parked
    came: list[datetime] = [row["first"]] if row["first"] else []
    if row["first_mail"]:
        came.append(had_at(UUID(row["first_mail"]), row["received"], via_mail=True))
    return min(came)


def backlog(*, since: datetime, until: datetime) -> Backlog:
    """Read it from the log's database; raises what that raises.

    `since` and `until` bound what was received when; what waits now is counted whatever
    its age.
    """
    received = {"received_at__gte": since, "received_at__lt": until}
    return Backlog(
        waiting=waiting(),
        failed=journal.having(EntryStatus.FAILED).filter(**received).count(),
        duplicates=journal.having(EntryStatus.DUPLICATE).filter(**received).count(),
        doubtful=journal.doubtful().filter(settled_at__gte=since, settled_at__lt=until).count(),
        refused=Refusal.objects.using(ALIAS)
        .filter(refused_at__gte=since, refused_at__lt=until)
        .count(),
    )
