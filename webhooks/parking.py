"""Exits that came before their entry wait for it, but not for ever."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from operator import attrgetter

from django.conf import settings
from django.utils import timezone

from webhooks.models import WebhookLog
from webhooks.reading import read_again
from webhooks.signal import Signal


def parking_time() -> timedelta:
    """How long an exit waits for its entry."""
    return timedelta(seconds=settings.PARK_SECONDS)


def has_expired(log: WebhookLog) -> bool:
    """Whether a parked exit has waited long enough.

    That counts from when it was parked: its entry may lie in another host's log, which is
    drained no sooner than the one it came from.
    """
    return timezone.now() - log.processed_at >= parking_time()


def parked_for(
    entry: WebhookLog, signal: Signal, waiting: Iterable[WebhookLog]
) -> list[tuple[WebhookLog, Signal]]:
    """Those of a book's parked exits that may belong to this entry, in the order of their times.

    Their order of arrival is what went wrong; it counts where they tell no times. What another
    version parked may be read otherwise by now, or not at all: it is left to fail in its time,
    and holds nobody up.
    """
    # When they came, not when they were parked: a replay decides as the live path did.
    earliest = entry.had_at - parking_time()
    found = [
        (log, its_signal)
        for log in waiting
        if log.had_at >= earliest
        and (its_signal := read_again(log).signal) is not None
        and _may_belong(its_signal, signal)
    ]
    # Within one bar by when they were sent.
    for moment in (attrgetter("sent_at"), attrgetter("time")):
        if all(moment(its_signal) for _, its_signal in found):
            found.sort(key=lambda each: moment(each[1]))
    return found


def _may_belong(leaving: Signal, entering: Signal) -> bool:
    """An exit that left the other side, or was ordered before the entry, closed something else.

    Only times the alerts tell count, and of both the same kind: the order of arrival is just what
    went wrong. Within one bar the sending time decides, where both tell it.
    """
    if leaving.book != entering.book:
        return False
    left = leaving.view_before.direction if leaving.view_before else leaving.leaves
    if left is not None and left != entering.direction:
        return False
    for left_at, entered_at in zip(_moments(leaving), _moments(entering), strict=True):
        if left_at and entered_at and left_at != entered_at:
            return left_at > entered_at
    return True


def _moments(signal: Signal) -> tuple[datetime | None, datetime | None]:
    """The time of its bar and that of its sending, as far as the alert tells them."""
    return (None, signal.time) if signal.time_is_sent else (signal.time, signal.sent_at)
