"""From what is wrong now to alarms: what fires, what goes on, what is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from watch.models import Alarm, Rule
from watch.rules import Judged

#: An alarm is over once it has not been seen for so long, so that what comes and goes is one.
_QUIET: Final = timedelta(minutes=2)
#: What is judged by looking at everything does not come and go, and is seldom looked at.
_QUIET_OF: Final = {Rule.RECONCILIATION.value: timedelta()}


@dataclass(slots=True)
class Step:
    """What one look came to."""

    #: All that fire now.
    firing: list[Alarm] = field(default_factory=list)
    fired: list[Alarm] = field(default_factory=list)
    #: Over.
    cleared: list[Alarm] = field(default_factory=list)


def step(firing: Iterable[Alarm], judged: Judged, now: datetime) -> Step:
    """Carry on the alarms that fire by what was found; sets their fields, saves nothing.

    One whose rule could not be judged stays as it is.
    """
    taken = Step()
    found = {
        (one.rule.value, one.strategy): one
        for symptoms in judged.values()
        for one in symptoms or ()
    }
    unjudged = {rule.value for rule, symptoms in judged.items() if symptoms is None}
    for alarm in firing:
        # A time ahead is from before the clock was put back, and would not pass for as long.
        alarm.told_at = alarm.told_at and min(alarm.told_at, now)
        alarm.quiet_since = alarm.quiet_since and min(alarm.quiet_since, now)
        symptom = found.pop(alarm.key, None)
        if symptom is not None:
            alarm.text, alarm.quiet_since = symptom.text, None
        elif alarm.rule not in unjudged:
            alarm.quiet_since = alarm.quiet_since or now
            if now - alarm.quiet_since >= _QUIET_OF.get(alarm.rule, _QUIET):
                alarm.cleared_at = now
                taken.cleared.append(alarm)
                continue
        taken.firing.append(alarm)
    for symptom in found.values():
        alarm = Alarm(rule=symptom.rule, strategy=symptom.strategy, text=symptom.text, fired_at=now)
        taken.firing.append(alarm)
        taken.fired.append(alarm)
    return taken


@dataclass(frozen=True, slots=True)
class Tidings:
    """What somebody should be told of."""

    #: Not told before.
    fresh: list[Alarm]
    #: Told before, and still so.
    still: list[Alarm]
    #: Told before, and over.
    over: list[Alarm]

    @property
    def alarms(self) -> list[Alarm]:
        return [*self.fresh, *self.still, *self.over]

    def mark(self, now: datetime) -> None:
        """Note in the alarms that fire when they were told."""
        for alarm in (*self.fresh, *self.still):
            alarm.told_at = now

    @property
    def is_reminder(self) -> bool:
        """Whether all of it was told before."""
        return bool(self.still) and not self.fresh and not self.over

    def __bool__(self) -> bool:
        return bool(self.alarms)


def tidings(taken: Step, now: datetime, remind_after: timedelta) -> Tidings:
    """What to tell after a look, as one message; `remind_after` of 0: no reminders.

    What is due for a reminder brings along all that fires, so that it is one message.
    """
    seen = [alarm for alarm in taken.firing if alarm.quiet_since is None]
    told = [alarm for alarm in seen if alarm.told_at is not None]
    is_due = remind_after > timedelta() and any(
        now - alarm.told_at >= remind_after for alarm in told if alarm.told_at
    )
    return Tidings(
        fresh=[alarm for alarm in seen if alarm.told_at is None],
        still=told if is_due else [],
        over=[alarm for alarm in taken.cleared if alarm.told_at is not None],
    )
