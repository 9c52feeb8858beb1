"""Notices on their way: written with what they tell, delivered afterwards, tried again.

Each receiver gets a notice at least once: it is marked after it was sent, so that none is
lost, and one may come twice where a process died between the two.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import TimeoutError as WriteTimeout
from datetime import datetime, timedelta
from typing import Final, TypeVar

from django.conf import settings

from wal.writer import ALIAS, writer
from watch.models import Alarm, Notice
from watch.receivers import Message, MessageRefused, Receiver, send

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: After a failure it is tried again, after twice as long each time, an hour at most.
_FIRST_WAIT: Final = timedelta(seconds=30)
_LONGEST_WAIT: Final = timedelta(hours=1)
#: What is older says nothing any more.
_GIVEN_UP_AFTER: Final = timedelta(hours=24)

#: Seconds a write may take before it counts as impossible.
_WRITE_SECONDS: Final = 10.0


def write(statement: Callable[[], T]) -> T:
    """Write to the log's database, by its writer and in one transaction; raises what that does.

    Alerts are appended by the same writer, so a statement asks no other database.
    """
    done = writer().submit(statement, durable=True)
    try:
        return done.result(timeout=_WRITE_SECONDS)
    except WriteTimeout:
        done.cancel()
        raise


def put(
    message: Message,
    to: Iterable[Receiver],
    now: datetime,
    about: Iterable[Alarm] = (),
    spared: Iterable[Receiver] = (),
) -> Notice:
    """Keep a message for its delivery, to all but those spared. Belongs into a `write`."""
    done_with = [receiver.key for receiver in spared]
    notice = Notice.objects.using(ALIAS).create(
        made_at=now,
        title=message.title,
        body=message.body,
        undelivered=[receiver.key for receiver in to if receiver.key not in done_with],
        done_with=done_with,
        next_try_at=now,
    )
    notice.alarms.set(about)
    # Nobody looks back further, and it is done where there is something to do anyway.
    old = now - timedelta(days=settings.RETENTION_DAYS)
    Notice.objects.using(ALIAS).filter(made_at__lt=old).delete()
    Alarm.objects.using(ALIAS).filter(cleared_at__lt=old).delete()
    return notice


def not_reached(receivers: Iterable[Receiver]) -> list[Receiver]:
    """Those to whom a notice about alarms is still on its way."""
    on_their_way = Notice.objects.using(ALIAS).filter(done_at=None, alarms__isnull=False)
    keys = {key for notice in on_their_way for key in notice.undelivered}
    return [receiver for receiver in receivers if receiver.key in keys]


def deliver(
    receivers: Sequence[Receiver], now: datetime, stop: threading.Event | None = None
) -> None:
    """Send what is due; raises what the log's database does.

    Notices go to the receivers there are now, whoever there was when they were made. Each
    receiver gets them in order: once one is due to it, all that wait for it are tried, and where
    one does not get through, the next stay behind it.
    """
    waiting = list(Notice.objects.using(ALIAS).filter(done_at=None).order_by("id"))
    for notice in waiting:
        _bring_up_to_date(notice, receivers, now)
    due = [
        notice
        for notice in waiting
        # With nobody there, somebody may be before it is too late.
        if (notice.next_try_at <= now if receivers else _is_late(notice, now))
    ]
    troubles: dict[int, list[str]] = {notice.pk: [] for notice in due}
    for receiver in receivers:
        if not any(receiver.key in notice.undelivered for notice in due):
            continue
        for notice in waiting:
            if receiver.key not in notice.undelivered:
                continue
            if stop is not None and stop.is_set():
                return
            troubles.setdefault(notice.pk, [])
            trouble = send(receiver, Message(notice.title, notice.body))
            if not trouble:
                _mark(notice, receiver.key)
                continue
            troubles[notice.pk].append(f"{receiver}: {trouble}")
            if not isinstance(trouble, MessageRefused):
                break
    for notice in waiting:
        if notice.pk in troubles:
            _end_try(notice, now, troubles[notice.pk])


def _bring_up_to_date(notice: Notice, receivers: Sequence[Receiver], now: datetime) -> None:
    # Times ahead are from before the clock was put back.
    notice.made_at = min(notice.made_at, now)
    if notice.next_try_at > now + _LONGEST_WAIT:
        notice.next_try_at = now
    if not receivers:
        return
    wanted = [receiver.key for receiver in receivers if receiver.key not in notice.done_with]
    if not wanted or not set(wanted) <= set(notice.undelivered):
        notice.next_try_at = now  # Whoever it waited for is gone, or somebody new is there.
    notice.undelivered = wanted


def _is_late(notice: Notice, now: datetime) -> bool:
    return now - notice.made_at > _GIVEN_UP_AFTER


def _mark(notice: Notice, key: str) -> None:
    notice.undelivered.remove(key)
    notice.done_with.append(key)
    write(lambda: notice.save(using=ALIAS, update_fields=["undelivered", "done_with"]))


def _end_try(notice: Notice, now: datetime, troubles: list[str]) -> None:
    is_late = _is_late(notice, now)
    if notice.undelivered:
        notice.trouble = "; ".join(troubles) or notice.trouble
        notice.attempts += 1
        wait = min(_FIRST_WAIT * 2 ** min(notice.attempts - 1, 10), _LONGEST_WAIT)
        notice.next_try_at = now + wait
        for trouble in troubles:
            logger.warning("Notice %d was not delivered to %s", notice.pk, trouble)
        if is_late:
            logger.warning("Notice %d is given up", notice.pk)
    if is_late or not notice.undelivered:
        notice.done_at = now
    write(lambda: notice.save(using=ALIAS))
