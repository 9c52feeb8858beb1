"""What the rules find, from where on, and the words they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from audit.shown import age, counted
from watch.facts import Facts
from watch.models import Rule
from webhooks.parking import parking_time


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that is not as it should be now."""

    rule: Rule
    #: Its name; "" where it is about the service as a whole.
    strategy: str
    #: One sentence.
    text: str


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is a symptom; the settings of the same names."""

    failure_rate: float
    delay: timedelta
    waiting: timedelta
    backlog: int
    silence_factor: float
    parking: timedelta


def limits() -> Limits:
    """As the settings have them."""
    return Limits(
        failure_rate=settings.ALERT_FAILURE_RATE,
        delay=timedelta(seconds=settings.ALERT_DELAY_SECONDS),
        waiting=timedelta(seconds=settings.ALERT_WAITING_SECONDS),
        backlog=settings.ALERT_BACKLOG,
        silence_factor=settings.ALERT_SILENCE_FACTOR,
        parking=parking_time(),
    )


def alerts(number: int) -> str:
    return counted(number, "alert")


def wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def was(number: int) -> str:
    return "was" if number == 1 else "were"


def of(strategy: str) -> str:
    return f" of {strategy}" if strategy else ""


def within(facts: Facts) -> str:
    return f"in the last {age(facts.window)}"
