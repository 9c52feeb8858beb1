"""Rules about the databases, and about what the log holds and what was refused before it."""

from __future__ import annotations

from audit.shown import age, counted
from wal.models import EntryStatus
from watch.facts import LACKS_TABLES, Facts
from watch.models import Rule
from watch.symptoms import Limits, Symptom, alerts, wait, within


def database(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if not facts.database_trouble:
        return []
    number = facts.backlog.entries if facts.backlog else 0
    waiting = f"; now {alerts(number)} {wait(number)} there" if number else ""
    over = "has them" if facts.database_trouble == LACKS_TABLES else "is back"
    text = (
        f"The main database {facts.database_trouble}. Alerts are taken and wait in the log until "
        f"it {over}{waiting}."
    )
    return [Symptom(Rule.DATABASE, "", text)]


def log(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if not facts.log_trouble:
        return []
    return [
        Symptom(
            Rule.LOG,
            "",
            f"The write-ahead log cannot be {'written' if facts.backlog else 'read'} "
            f"({facts.log_trouble}). Alerts are refused, and TradingView gives each up after its "
            "fourth try.",
        )
    ]


def waiting(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.backlog is None:
        return None
    overdue = facts.backlog.overdue(facts.now, soon=limits.waiting, parking=limits.parking)
    if not overdue:
        return []
    number = sum(each.entries for each in overdue)
    oldest = min(each.since for each in overdue)
    return [
        Symptom(
            Rule.WAITING,
            "",
            f"{alerts(number)} {wait(number)} in the log, the oldest since "
            f"{age(facts.now - oldest)}.",
        )
    ]


def backlog(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.backlog is None:
        return None
    number = sum(
        each.entries for each in facts.backlog.waiting if each.status is not EntryStatus.PARKED
    )
    if number <= limits.backlog:
        return []
    text = f"{alerts(number)} wait in the log for their effect, more than {limits.backlog:,}."
    return [Symptom(Rule.BACKLOG, "", text)]


def rate(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.backlog is None:
        return None
    if not facts.backlog.refused:
        return []
    often = "once" if facts.backlog.refused == 1 else f"{facts.backlog.refused:,} times"
    text = (
        f"Alerts with a valid token were refused by rate {often} {within(facts)}; TradingView "
        "sends each again three times, and then never."
    )
    return [Symptom(Rule.RATE, "", text)]


def key(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.backlog is None:
        return None
    number = facts.backlog.doubtful
    if not number:
        return []
    text = (
        f"{counted(number, 'order')} had no effect {within(facts)}: another order came "
        "before with the same key."
    )
    return [Symptom(Rule.KEY, "", text)]
