"""Rules about alerts as they come: how long they take, how many are refused, whether any come."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from audit.shown import age
from wal.models import EntryStatus
from watch.facts import Facts
from watch.models import Rule
from watch.silence import Rhythm
from watch.symptoms import Limits, Symptom, alerts, was, within

#: A strategy that sends every minute may well be silent for longer than usual.
_SHORTEST_SILENCE: Final = timedelta(hours=1)


def delay(facts: Facts, limits: Limits) -> list[Symptom] | None:
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
            f"{age(took.p95)} for one in twenty {within(facts)}.",
        )
    ]


def failures(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.records is None:
        return None
    found = []
    for each in facts.records.traffic:
        strategy = facts.records.strategies.get(each.strategy)
        own = strategy.failure_rate if strategy else None
        most = limits.failure_rate if own is None else float(own)
        if each.refused and each.refused / each.alerts > most:
            which = (
                f"{each.refused:,} of {alerts(each.alerts)} of {each.strategy}"
                if each.strategy
                else f"{alerts(each.refused)} whose strategy cannot be read"
            )
            text = (
                f"{which} {was(each.refused)} refused {within(facts)}: {each.failed:,} failed, "
                f"{each.rejected:,} rejected."
            )
            found.append(Symptom(Rule.FAILURES, each.strategy, text))
    return found


def silence(facts: Facts, limits: Limits) -> list[Symptom] | None:
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
