"""What fires at this moment, for those who ask."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import Error

from watch.models import Rule
from watch.rules import Judged
from watch.watching import alarms_firing


@dataclass(frozen=True, slots=True)
class Firing:
    """Something that is not as it should be."""

    rule: Rule
    strategy: str
    text: str
    #: UTC; when its alarm fired. None: it has none yet, or none that can be read.
    since: datetime | None

    def as_json(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        since = self.since.isoformat() if self.since else None
        return {**asdict(self), "rule": self.rule.value, "since": since}


def firing_now(judged: Judged) -> list[Firing]:
    """What the rules found, and the alarms that go on since theirs could not be judged."""
    try:
        alarms = {alarm.key: alarm for alarm in alarms_firing()}
    except Error:
        alarms = {}
    found = []
    for rule, symptoms in judged.items():
        for symptom in symptoms or ():
            alarm = alarms.get((rule, symptom.strategy))
            since = alarm.fired_at if alarm else None
            found.append(Firing(rule, symptom.strategy, symptom.text, since))
        if symptoms is None:
            found += [
                Firing(rule, alarm.strategy, alarm.text, alarm.fired_at)
                for alarm in alarms.values()
                if alarm.rule == rule
            ]
    return found
