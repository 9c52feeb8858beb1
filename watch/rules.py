"""The rules: from how things stand to what is not as it should be.

Each is a pure function. It returns None where the facts do not tell: an alarm that fires then
goes on as it is. docs/alarms.md says what each means and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from watch import agreement_rules, alert_rules, log_rules
from watch.facts import Facts
from watch.models import Rule
from watch.symptoms import Limits, Symptom

RULES: Final[dict[Rule, Callable[[Facts, Limits], list[Symptom] | None]]] = {
    Rule.DATABASE: log_rules.database,
    Rule.LOG: log_rules.log,
    Rule.WAITING: log_rules.waiting,
    Rule.BACKLOG: log_rules.backlog,
    Rule.DELAY: alert_rules.delay,
    Rule.FAILURES: alert_rules.failures,
    Rule.DRIFT: agreement_rules.drift,
    Rule.DISCREPANCY: agreement_rules.discrepancy,
    Rule.RATE: log_rules.rate,
    Rule.KEY: log_rules.key,
    Rule.RECONCILIATION: agreement_rules.reconciliation,
    Rule.SILENCE: alert_rules.silence,
}

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
