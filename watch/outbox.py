"""Notices on their way: written with what they tell, delivered afterwards, tried again.

Each receiver gets a notice at least once: it is marked after it was sent, so that none is
lost, and one may come twice where a process died between the two.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError as WriteTimeout
from datetime import datetime, timedelta
from typing import Final, TypeVar

from django.conf import settings
from django.db.models import QuerySet

from wal.writer import ALIAS, writer
from watch.models import Alarm, Notice
from watch.receivers import Message, Receiver, send

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
    message: Message, to: Iterable[Receiver], now: datetime, about: Iterable[Alarm] = ()
) -> Notice:
    """Keep a message for its delivery. Belongs into a `write`."""
    notice = Notice.objects.using(ALIAS).create(
        made_at=now,
        title=message.title,
        body=message.body,
        undelivered=[receiver.key for receiver in to],
        next_try_at=now,
    )
    notice.alarms.set(about)
    # Nobody looks back further, and it is done where there is something to do anyway.
    old = now - timedelta(days=settings.RETENTION_DAYS)
    Notice.objects.using(ALIAS).filter(made_at__lt=old).delete()
    Alarm.objects.using(ALIAS).filter(cleared_at__lt=old).delete()
    return notice


def is_waiting() -> bool:
    """Whether a notice about alarms is still on its way."""
    return _on_their_way().exists()


def not_reached(receivers: Iterable[Receiver]) -> list[Receiver]:
    """Those to whom a notice about alarms is still on its way."""
    keys = {key for notice in _on_their_way() for key in notice.undelivered}
    return [receiver for receiver in receivers if receiver.key in keys]


def _on_their_way() -> QuerySet[Notice]:
    return Notice.objects.using(ALIAS).filter(done_at=None, alarms__isnull=False)


def deliver(
    receivers: Iterable[Receiver], now: datetime, stop: threading.Event | None = None
) -> None:
    """Send what is due, in order; raises what the log's database does."""
    by_key = {receiver.key: receiver for receiver in receivers}
    down: set[str] = set()
    due = Notice.objects.using(ALIAS).filter(done_at=None, next_try_at__lte=now).order_by("id")
    for notice in due:
        troubles = []
        for key in list(notice.undelivered):
            if stop is not None and stop.is_set():
                return
            receiver = by_key.get(key)
            if receiver is None:
                _mark(notice, key)  # It is no longer to be told.
            elif key not in down and not (trouble := send(receiver, _message(notice))):
                _mark(notice, key)
            else:
                # Where one did not get through, the next would not either.
                if key not in down:
                    troubles.append(f"{receiver}: {trouble}")
                down.add(key)
        _end_try(notice, now, troubles)


def _message(notice: Notice) -> Message:
    return Message(notice.title, notice.body)


def _mark(notice: Notice, key: str) -> None:
    notice.undelivered.remove(key)
    write(lambda: notice.save(using=ALIAS, update_fields=["undelivered"]))


def _end_try(notice: Notice, now: datetime, troubles: list[str]) -> None:
    is_late = now - notice.made_at > _GIVEN_UP_AFTER
    if notice.undelivered:
        notice.trouble = "; ".join(troubles) or notice.trouble
        notice.attempts += 1
        wait = min(_FIRST_WAIT * 2 ** min(notice.attempts - 1, 10), _LONGEST_WAIT)
        notice.next_try_at = now + wait
        for trouble in troubles:
            logger.warning(
                "Notice %d was not delivered to %s%s",
                notice.pk,
                trouble,
                "; it is given up" if is_late else "",
            )
    if is_late or not notice.undelivered:
        notice.done_at = now
    write(lambda: notice.save(using=ALIAS))
