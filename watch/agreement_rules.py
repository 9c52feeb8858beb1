"""Rules about what should tell the same: TradingView and the lots, two P&Ls, and the tables."""

from __future__ import annotations

from itertools import groupby

from audit.shown import counted
from watch.facts import Facts
from watch.models import Rule
from watch.symptoms import Limits, Symptom, alerts, of, within


def drift(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.records is None:
        return None
    return [
        Symptom(
            Rule.DRIFT,
            each.strategy,
            f"{alerts(each.drifted)}{of(each.strategy)} drifted {within(facts)}: TradingView's "
            "position is another than the one logged.",
        )
        for each in facts.records.traffic
        if each.drifted
    ]


def discrepancy(facts: Facts, limits: Limits) -> list[Symptom] | None:
    if facts.records is None:
        return None
    return [
        Symptom(
            Rule.DISCREPANCY,
            strategy,
            f"{counted(number, 'trade')}{of(strategy)} {within(facts)} "
            f"{'has' if number == 1 else 'have'} another P&L than the alert reported.",
        )
        for strategy, number in sorted(facts.records.discrepancies.items())
    ]


def reconciliation(facts: Facts, limits: Limits) -> list[Symptom] | None:
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
        text = f"Not everything adds up{of(strategy)}: {first.sentence}{more}"
        found.append(Symptom(Rule.RECONCILIATION, strategy, text))
    return found
