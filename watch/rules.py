"""The rules: from how things stand to what is not as it should be.

Each is a pure function. It returns None where the facts do not tell: an alarm that fires then
goes on as it is. docs/alarms.md says what each means and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Final

from django.conf import settings

from audit.shown import age
from wal.models import EntryStatus
from watch.facts import LACKS_TABLES, Facts
from watch.models import Rule
from watch.silence import Rhythm

#: A strategy that sends every minute may well be silent for longer than usual.
_SHORTEST_SILENCE: Final = timedelta(hours=1)


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
        parking=timedelta(seconds=settings.PARK_SECONDS),
    )


#: What was found by each rule; None where it could not be judged.
Judged = dict[Rule, list[Symptom] | None]


def judge(facts: Facts, limits: Limits) -> Judged:
    """Ask every rule; what is about a strategy that is muted or disabled is left out."""
    strategies = facts.records.strategies if facts.records else {}
    quiet = {
        name for name, strategy in strategies.items() if strategy.muted or not strategy.enabled
    }
    judged: Judged = {}
    for rule, find in RULES.items():
        found = find(facts, limits)
        judged[rule] = found and [one for one in found if one.strategy not in quiet]
    return judged


def _database(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if not facts.database_trouble:
        return []
    number = facts.backlog.entries if facts.backlog else 0
    waiting = f"; now {_alerts(number)} {_wait(number)} there" if number else ""
    return [
        Symptom(
            Rule.DATABASE,
            "",
            f"The main database {facts.database_trouble}. Alerts are taken and wait in the log "
            f"until it {'has them' if facts.database_trouble == LACKS_TABLES else 'is back'}"
            f"{waiting}.",
        )
    ]


def _log(facts: Facts, limits: Limits) -> list[Symptom] | None:
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


def _waiting(facts: Facts, limits: Limits) -> list[Symptom] | None:
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
            f"{_alerts(number)} {_wait(number)} in the log, the oldest since "
            f"{age(facts.now - oldest)}.",
        )
    ]


def _backlog(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.backlog is None:
        return None
    number = sum(
        each.entries for each in facts.backlog.waiting if each.status is not EntryStatus.PARKED
    )
    if number <= limits.backlog:
        return []
    text = f"{_alerts(number)} wait in the log for their effect, more than {limits.backlog:,}."
    return [Symptom(Rule.BACKLOG, "", text)]


def _delay(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.records is None:
        return None
    took = facts.records.latency
    if took is None or took.p95 <= limits.delay:
        return []
    return [
        Symptom(
            Rule.DELAY,
            "",
            f"From the receipt of an alert to its effect it took more than "
            f"{age(took.p95)} for one in twenty {_within(facts)}.",
        )
    ]


def _failures(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.records is None:
        return None
    found = []
    for each in facts.records.traffic:
        strategy = facts.records.strategies.get(each.strategy)
        own = strategy.failure_rate if strategy else None
        most = limits.failure_rate if own is None else float(own)
        if each.refused and each.refused / each.alerts > most:
            which = (
                f"{each.refused:,} of {_alerts(each.alerts)} of {each.strategy}"
                if each.strategy
                else f"{_alerts(each.refused)} whose strategy cannot be read"
            )
            text = (
                f"{which} {_was(each.refused)} refused {_within(facts)}: {each.failed:,} failed, "
                f"{each.rejected:,} rejected."
            )
            found.append(Symptom(Rule.FAILURES, each.strategy, text))
    return found


def _drift(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.records is None:
        return None
    return [
        Symptom(
            Rule.DRIFT,
            each.strategy,
            f"{_alerts(each.drifted)}{_of(each.strategy)} drifted {_within(facts)}: TradingView's "
            "position is another than the one logged.",
        )
        for each in facts.records.traffic
        if each.drifted
    ]


def _discrepancy(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.records is None:
        return None
    return [
        Symptom(
            Rule.DISCREPANCY,
            strategy,
            f"{number:,} trade{'s' * (number != 1)}{_of(strategy)} {_within(facts)} "
            f"{'has' if number == 1 else 'have'} another P&L than the alert reported.",
        )
        for strategy, number in sorted(facts.records.discrepancies.items())
    ]


def _rate(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.backlog is None:
        return None
    if not facts.backlog.refused:
        return []
    often = "once" if facts.backlog.refused == 1 else f"{facts.backlog.refused:,} times"
    text = (
        f"Alerts with a valid token were refused by rate {often} {_within(facts)}; TradingView "
        "sends each again three times, and then never."
    )
    return [Symptom(Rule.RATE, "", text)]


def _reconciliation(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.findings is None:
        return None
    if facts.reconciling_trouble:
        text = f"Reconciling failed ({facts.reconciling_trouble}); the log lines tell where."
        return [Symptom(Rule.RECONCILIATION, "", text)]
    by_strategy = sorted(facts.findings, key=lambda finding: finding.strategy)
    found = []
    for strategy, its in groupby(by_strategy, lambda finding: finding.strategy):
        first, *others = its
        more = f" And {len(others):,} more: manage.py reconcile_positions." if others else ""
        text = f"Not everything adds up{_of(strategy)}: {first.sentence}{more}"
        found.append(Symptom(Rule.RECONCILIATION, strategy, text))
    return found


def _silence(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.records is None or facts.backlog is None:
        return None
    if any(
        each.status is not EntryStatus.PARKED
        for each in facts.backlog.overdue(facts.now, soon=limits.waiting, parking=limits.parking)
    ):
        return None  # What has come may be among what waits.
    found = []
    for name, strategy in sorted(facts.records.strategies.items()):
        rhythm = facts.records.rhythms.get(name) or Rhythm(strategy.created_at, None)
        if strategy.silence_hours is not None:
            longest = timedelta(hours=strategy.silence_hours)
            words = f"more than the {strategy.silence_hours} h set for it"
        elif rhythm.usual_gap is not None and limits.silence_factor:
            longest = max(limits.silence_factor * rhythm.usual_gap, _SHORTEST_SILENCE)
            words = f"its longest gap before was {age(rhythm.usual_gap)}"
        else:
            continue
        silent_for = rhythm.silent_for(facts.now)
        if longest and silent_for > longest:
            without = "; days its market is closed are left out" if rhythm.closed else ""
            text = (
                f"{name} has sent no alert for {age(silent_for)} ({words}{without}). "
                "Look in TradingView whether its alert still runs."
            )
            found.append(Symptom(Rule.SILENCE, name, text))
    return found


RULES: Final[dict[Rule, Callable[[Facts, Limits], list[Symptom] | None]]] = {
    Rule.DATABASE: _database,
    Rule.LOG: _log,
    Rule.WAITING: _waiting,
    Rule.BACKLOG: _backlog,
    Rule.DELAY: _delay,
    Rule.FAILURES: _failures,
    Rule.DRIFT: _drift,
    Rule.DISCREPANCY: _discrepancy,
    Rule.RATE: _rate,
    Rule.RECONCILIATION: _reconciliation,
    Rule.SILENCE: _silence,
}


def _alerts(number: int) -> str:
    return f"{number:,} alert{'s' * (number != 1)}"


def _wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _of(strategy: str) -> str:
    return f" of {strategy}" if strategy else ""


def _within(facts: Facts) -> str:
    return f"in the last {age(facts.window)}"
