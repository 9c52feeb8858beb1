"""The words of messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from audit.shown import age
from watch.alarms import Tidings
from watch.models import Alarm
from watch.receivers import Message

TEST = Message(
    "tradelog: a test",
    "This is a test. Alarms of tradelog will look like it, and tell what is wrong.",
)


def of_alarms(told: Tidings) -> Message:
    """One message for all that a look brought."""
    return Message(
        f"tradelog: {_title(told)}",
        "\n\n".join(
            "\n".join([f"{heading}:", *(f"- {line}" for line in lines)])
            for heading, lines in (
                ("Not as it should be", [alarm.text for alarm in told.fresh]),
                ("Still so", [f"{alarm.text} (since {_time(alarm)})" for alarm in told.still]),
                ("Over", [_over(alarm) for alarm in told.over]),
            )
            if lines
        ),
    )


def _title(told: Tidings) -> str:
    for alarms, word in ((told.fresh, ""), (told.still, "still "), (told.over, "over: ")):
        if alarms:
            return f"{word}{_names(alarms)}"
    return ""


def _names(alarms: Sequence[Alarm]) -> str:
    first, *others = alarms
    about = f" of {first.strategy}" if first.strategy else ""
    more = f" and {len(others)} more" if others else ""
    return f"{first.get_rule_display()}{about}{more}"


def _over(alarm: Alarm) -> str:
    assert alarm.cleared_at is not None
    return f"{_names([alarm])}, after {age(alarm.cleared_at - alarm.fired_at)}"


def _time(alarm: Alarm) -> str:
    return f"{alarm.fired_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
