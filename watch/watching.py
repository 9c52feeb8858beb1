"""The watch: look at everything, carry the alarms on, tell who should know.

A chore of the server's, and what `manage.py check_alerts` does. One process at a time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as WriteTimeout
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import Error, connections
from django.utils import timezone

from chores import start_chore
from wal.writer import ALIAS
from watch import messages
from watch.alarms import Step, step, tidings
from watch.facts import gather
from watch.models import Alarm, Progress, Rule
from watch.outbox import deliver, not_reached, put, write
from watch.receivers import Receiver, receivers, send
from watch.rules import Judged, judge
from watch.silence import Rhythms
from watch.symptoms import limits
from watch.trade_messages import tell_trades

logger = logging.getLogger(__name__)

#: The chore's name, and its lock's.
CHORE: Final = "watch"
#: Seconds a stop waits for the notice in hand.
_PATIENCE: Final = 3.0

#: While something does not add up, it is looked sooner whether it does again.
_AGAIN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found."""

    judged: Judged
    #: What became of the alarms by it.
    taken: Step


class Watch:
    """Looks, over and over; keeps what it needs between two looks."""

    def __init__(self) -> None:
        self._rhythms = Rhythms()
        #: The alarms as the last look left them, and whether that could be written. If not,
        #: another process that takes over before the log is back tells them once more.
        self._known: list[Alarm] = []
        self._is_written = True

    def look(
        self,
        now: datetime | None = None,
        *,
        reconcile: bool = False,
        stop: threading.Event | None = None,
    ) -> Look:
        """Look at everything once, and tell what there is to tell.

        `reconcile` does so whenever it was done last. Raises nothing of the databases'.
        """
        now = now or timezone.now()
        judged = self._judged(now, reconcile=reconcile)
        to = receivers()
        try:
            taken = write(lambda: self._record(judged, now, to))
        except (Error, WriteTimeout):
            return Look(judged, self._carry_on(judged, now, to))
        self._known, self._is_written = taken.firing, True
        if not judged[Rule.DATABASE]:
            _try_to(lambda: tell_trades(to, now), "Trades are not told")
        _try_to(lambda: deliver(to, now, stop), "Notices are not delivered")
        return Look(judged, taken)

    def look_beside(self, now: datetime, *, reconcile: bool = False) -> Judged:
        """What the rules find now, where another process keeps watch.

        Changes nothing, but for the alarms about what `reconcile` has been asked to look at: the
        other one may never do so (ALERT_RECONCILE_HOURS). It sends the notice of it.
        """
        judged = self._judged(now, reconcile=reconcile)
        if reconcile:
            unjudged: Judged = dict.fromkeys(judged)
            alone = {**unjudged, Rule.RECONCILIATION: judged[Rule.RECONCILIATION]}
            to = receivers()
            _try_to(lambda: write(lambda: self._record(alone, now, to)), "It is not kept")
        return judged

    def _judged(self, now: datetime, *, reconcile: bool) -> Judged:
        return judge(gather(now, self._rhythms, reconcile=reconcile or _is_due(now)), limits())

    def _record(self, judged: Judged, now: datetime, to: list[Receiver]) -> Step:
        """Carry the alarms on in the tables, with the notice of it; belongs into a `write`."""
        kept = {alarm.key: alarm for alarm in alarms_firing()}
        # Copies, since what is written may be rolled back and written again.
        for alarm in [] if self._is_written else map(copy, self._known):
            if alarm._state.adding and alarm.key in kept:
                # A write that was given up came through after all.
                alarm.pk, alarm._state.adding = kept[alarm.key].pk, False
            if alarm.cleared_at is None:
                kept[alarm.key] = alarm
            else:
                kept.pop(alarm.key, None)
                alarm.save(using=ALIAS)
        taken = step(kept.values(), judged, now)
        told = tidings(taken, now, _remind_after())
        # What is on its way to somebody tells the same as a reminder.
        spared = not_reached(to) if told.is_reminder else []
        is_told = bool(told) and len(spared) < len(to)
        if is_told:
            told.mark(now)
        for alarm in (*taken.firing, *taken.cleared):
            alarm.save(using=ALIAS)
        if is_told:
            put(messages.of_alarms(told), to, now, about=told.alarms, spared=spared)
        if judged[Rule.RECONCILIATION] is not None:
            Progress.objects.using(ALIAS).update_or_create(pk=1, defaults={"reconciled_at": now})
        return taken

    def _carry_on(self, judged: Judged, now: datetime, to: list[Receiver]) -> Step:
        """The same without the tables: what is told is told at once, and kept in mind."""
        kept: dict[tuple[str, str], Alarm] = {}
        if self._is_written:
            with suppress(Error):
                kept = {alarm.key: alarm for alarm in alarms_firing()}
        over = [alarm for alarm in self._known if alarm.cleared_at is not None]
        kept |= {alarm.key: alarm for alarm in self._known if alarm.cleared_at is None}
        taken = step(kept.values(), judged, now)
        told = tidings(taken, now, _remind_after())
        if told:
            message = messages.of_alarms(told)
            troubles = [(receiver, send(receiver, message)) for receiver in to]
            for receiver, trouble in troubles:
                if trouble:
                    logger.warning("An alarm was not delivered to %s: %s", receiver, trouble)
            if not all(trouble for _, trouble in troubles):
                told.mark(now)
        self._known, self._is_written = [*over, *taken.cleared, *taken.firing], False
        return taken


def alarms_firing() -> list[Alarm]:
    """Those that are not over, in the order they fired."""
    return list(Alarm.objects.using(ALIAS).filter(cleared_at=None).order_by("id"))


def start_watching() -> Callable[[], None]:
    """Start this process's watch; what is returned stops it, after the message in hand."""
    if settings.ALERT_EVERY_SECONDS <= 0:
        return lambda: None
    watch = Watch()

    def keep_watch(stop: threading.Event) -> None:
        try:
            tell_log(watch.look(stop=stop).taken)
        finally:
            connections["default"].close()

    return start_chore(CHORE, keep_watch, every=settings.ALERT_EVERY_SECONDS, patience=_PATIENCE)


def tell_log(taken: Step) -> None:
    """A log line for each alarm that fired or is over."""
    for alarm in taken.fired:
        logger.warning("Alarm: %s", alarm.text)
    for alarm in taken.cleared:
        logger.info("Over: %s", alarm.text)


def _try_to(do: Callable[[], object], else_say: str) -> None:
    try:
        do()
    except (Error, WriteTimeout) as error:
        logger.warning("%s: a database is out of reach: %s", else_say, str(error).strip())


def _remind_after() -> timedelta:
    return timedelta(hours=settings.ALERT_REMINDER_HOURS)


def _is_due(now: datetime) -> bool:
    """Whether to reconcile: it is costly, so not at every look."""
    every = timedelta(hours=settings.ALERT_RECONCILE_HOURS)
    if not every:
        return False
    try:
        done_at = Progress.load(ALIAS).reconciled_at
        if Alarm.objects.using(ALIAS).filter(cleared_at=None, rule=Rule.RECONCILIATION).exists():
            every = min(every, _AGAIN)
    except Error:
        return False
    # A time ahead is from before the clock was put back.
    return done_at is None or not timedelta() <= now - done_at < every
