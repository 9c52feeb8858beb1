"""Whether everything is logged, in plain words. Pure, but for the addresses of pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlencode

from django.urls import reverse

from audit.shown import age, counted
from wal.backlog import Backlog
from wal.models import EntryStatus
from watch.models import Alarm
from webhooks.models import LogStatus
from webhooks.traffic import Asked, Traffic


class Severity(StrEnum):
    GOOD = "good"
    #: Something to look at; nothing is lost.
    ATTENTION = "attention"
    #: A trade may be missing or wrong.
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is not as it should be."""

    severity: Severity
    text: str
    #: Where to see it; "" where no page shows it.
    url: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    severity: Severity
    text: str
    #: The gravest first.
    remarks: tuple[Remark, ...]


class Listed(NamedTuple):
    """Trades that have something in common: how many, and the list of them."""

    number: int
    url: str


def verdict(
    *,
    traffic: Traffic,
    backlog: Backlog | None,
    differing: Listed,
    backward: Listed,
    alarms: Sequence[Alarm],
    asked: Asked,
    soon: timedelta,
    parking: timedelta,
    now: datetime,
) -> Verdict:
    """Judge the alerts that were asked for, what waits now, the trades shown, and these alarms.

    Without a backlog the log cannot be read. `differing` are the trades whose P&L differs
    from the reported one, `backward` those whose exit's time is before their entry's.
    An alert that waits for longer than `soon` is held up by something; `parking` is how long
    an exit may wait for its entry.
    """
    remarks = [
        *_of_log(backlog, soon=soon, parking=parking, now=now),
        *_of_alerts(traffic, asked),
        *_of_alarms(alarms),
        *_of_trades(differing, backward),
    ]
    remarks.sort(key=lambda remark: remark.severity is not Severity.TROUBLE)
    if remarks:
        number = len(remarks)
        text = f"{counted(number, 'thing')} need{'s' * (number == 1)} a look"
        return Verdict(remarks[0].severity, text, tuple(remarks))
    days = (asked.until - asked.since).days
    within = f"in the last {days} days" if days > 1 else "in the last 24 hours"
    waiting = backlog.entries if backlog else 0
    if not traffic.alerts:
        return Verdict(Severity.GOOD, f"No alert came {within}; nothing waits", ())
    return Verdict(
        Severity.GOOD,
        f"Everything is logged: {counted(traffic.alerts, 'alert')} {within}, "
        f"{waiting} waiting, 0 failed, 0 drifted",
        (),
    )


def _of_log(
    backlog: Backlog | None, *, soon: timedelta, parking: timedelta, now: datetime
) -> Iterator[Remark]:
    if backlog is None:
        yield Remark(
            Severity.TROUBLE,
            "The write-ahead log cannot be read: how much waits there is not known, and while "
            "it cannot be written, alerts are not accepted",
        )
        return
    for waiting in backlog.overdue(now, soon=soon, parking=parking):
        words = {
            EntryStatus.PENDING: "in the log for its effect",
            EntryStatus.PROCESSING: "in the log, taken up and not finished",
            EntryStatus.PARKED: "for the entry it belongs to",
        }[waiting.status]
        waits = "waits" if waiting.entries == 1 else "wait, the oldest"
        yield Remark(
            Severity.TROUBLE,
            f"{counted(waiting.entries, 'alert')} {waits} since {age(now - waiting.since)} {words}",
            _list("wal_entry", status__exact=waiting.status),
        )
    if backlog.doubtful:
        yield Remark(
            Severity.TROUBLE,
            f"{counted(backlog.doubtful, 'order')} {'has' if backlog.doubtful == 1 else 'have'} no "
            "effect: another order came before with the same key",
            _list("wal_entry", status__exact=EntryStatus.DUPLICATE),
        )
    if backlog.refused:
        once = backlog.refused == 1
        yield Remark(
            Severity.TROUBLE,
            ("An alert was refused by rate once" if once else "Alerts were refused by rate ")
            + ("" if once else f"{backlog.refused:,} times")
            + "; TradingView sends each again three times, and then never",
            _list("wal_refusal"),
        )


def _of_alerts(traffic: Traffic, asked: Asked) -> Iterator[Remark]:
    for number, status, words in (
        (traffic.failed, LogStatus.FAILED, "failed: understood, and never applicable"),
        (traffic.rejected, LogStatus.REJECTED, "rejected: not understood, or not allowed"),
    ):
        if number:
            yield Remark(
                Severity.TROUBLE,
                f"{counted(number, 'alert')} {words}",
                _alerts(asked, status__exact=status),
            )
    if traffic.drifted:
        yield Remark(
            Severity.TROUBLE,
            f"{counted(traffic.drifted, 'alert')} drifted: TradingView's position was another "
            "than the one logged",
            _alerts(asked, drift__exact=1),
        )
    if traffic.via_mail:
        yield Remark(
            Severity.ATTENTION,
            f"{counted(traffic.via_mail, 'alert')} came by mail alone: "
            f"{'its webhook was' if traffic.via_mail == 1 else 'their webhooks were'} missed",
            _alerts(asked, via_mail__exact=1),
        )


def _of_alarms(alarms: Sequence[Alarm]) -> Iterator[Remark]:
    for alarm in alarms:
        url = reverse("admin:watch_alarm_change", args=[alarm.pk])
        yield Remark(Severity.TROUBLE, alarm.text.removesuffix("."), url)


def _of_trades(differing: Listed, backward: Listed) -> Iterator[Remark]:
    if differing.number:
        has = "has" if differing.number == 1 else "have"
        yield _shown(differing, f"{has} another P&L than the alert reported")
    if backward.number:
        yield _shown(backward, f"ended before {'it' if backward.number == 1 else 'they'} began")


def _shown(trades: Listed, words: str) -> Remark:
    text = f"{counted(trades.number, 'trade')} shown here {words}"
    return Remark(Severity.ATTENTION, text, trades.url)


def _alerts(asked: Asked, **parameters: object) -> str:
    if not asked.with_tests:
        parameters["is_test__exact"] = 0
    for name in ("strategy", "symbol"):
        if chosen := getattr(asked, name):
            parameters[name] = chosen
    parameters["received_at__gte"] = asked.since.isoformat()
    return _list("webhooks_webhooklog", **parameters)


def _list(model: str, **parameters: object) -> str:
    address = reverse(f"admin:{model}_changelist")
    return f"{address}?{urlencode(parameters)}" if parameters else address
