"""What a run did and found, and how it is told."""

from __future__ import annotations

import json
import shutil
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tabulate import tabulate

from tests.chaos.faults import KINDS, KINDS_OF_SEVERAL, LOSE_HOST
from tests.chaos.findings import Finding, Kind
from tests.chaos.load import Delivery


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that happened. Times are time.monotonic()'s."""

    name: str
    begun: float
    ended: float
    #: When an alert that was sent after its end was processed; None: not in time.
    back: float | None

    @property
    def recovery(self) -> float | None:
        """Seconds from its end until alerts were processed again."""
        return None if self.back is None else self.back - self.ended

    def __str__(self) -> str:
        if self.recovery is None:
            return f"{self.name}: did not recover"
        return f"{self.name}: processing again after {self.recovery:.1f} s"


@dataclass(slots=True)
class Result:
    """What a run did and found."""

    seed: int
    deliveries: list[Delivery] = field(default_factory=list)
    injected: list[Injected] = field(default_factory=list)
    #: Faults that found nothing they could have harmed.
    missed: Counter[str] = field(default_factory=Counter)
    load_seconds: float = 0.0
    #: None: the logs were not drained in time.
    drain_seconds: float | None = None
    refused_yet_taken: int = 0
    findings: list[Finding] = field(default_factory=list)
    #: The service's own audits, by command: their exit status.
    audits: dict[str, int] = field(default_factory=dict)
    #: What went wrong beside the tables.
    troubles: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.findings and not self.troubles


def summary(result: Result) -> str:
    """The run in a table."""
    answers = [answer for delivery in result.deliveries for answer in delivery.answers]
    last = [delivery.last for delivery in result.deliveries]
    statuses = Counter(f"{each.http} {each.status}" for each in last if each.is_acknowledgement)
    found = Counter(finding.kind for finding in result.findings)
    names = {delivery.alert.name for delivery in result.deliveries}
    rows: list[tuple[str, object]] = [
        ("alerts sent", len(result.deliveries)),
        ("  of them for the second time", len(result.deliveries) - len(names)),
        ("acknowledged (2xx)", sum(answer.is_acknowledgement for answer in last)),
        *((f"  {told}", count) for told, count in sorted(statuses.items())),
        ("refused with 5xx and sent again", sum((answer.http or 0) >= 500 for answer in answers)),
        ("  refused each time", sum((answer.http or 0) >= 500 for answer in last)),
        ("  refused, and in the log all the same", result.refused_yet_taken),
        ("unacknowledged (no answer)", sum(answer.http is None for answer in last)),
        ("faults injected", len(result.injected)),
        *((f"  {name}: found nothing to harm", count) for name, count in result.missed.items()),
        ("lost", found[Kind.LOST]),
        ("doubled", found[Kind.DOUBLED]),
        ("other findings", len(result.findings) - found[Kind.LOST] - found[Kind.DOUBLED]),
        *(
            (f"manage.py {audit}", "finds something" if status else "finds nothing")
            for audit, status in result.audits.items()
        ),
        ("longest recovery", _seconds(max(_recoveries(result), default=None))),
        ("backlog drained in", _seconds(result.drain_seconds)),
        ("duration under load", _seconds(result.load_seconds)),
        ("seed", result.seed),
    ]
    return tabulate(
        rows,
        tablefmt="github",
        disable_numparse=True,
        colalign=("left", "right"),
        preserve_whitespace=True,
    )


def by_fault(result: Result) -> str:
    """For each kind of fault how often it came, how soon alerts were processed again, and how
    alerts went unanswered from its beginning to the next one's."""
    unanswered = _unanswered(result)
    rows = []
    had_several = any(fault.name == LOSE_HOST.name for fault in result.injected)
    for name in [kind.name for kind in (KINDS_OF_SEVERAL if had_several else KINDS)]:
        recoveries = sorted(_recoveries(result, name))
        rows.append(
            (
                name,
                len(recoveries),
                _seconds(recoveries[len(recoveries) // 2] if recoveries else None),
                _seconds(max(recoveries, default=None)),
                unanswered[name]["ConnectionRefusedError"],
                unanswered[name]["TimeoutError"],
                unanswered[name].total()
                - unanswered[name]["ConnectionRefusedError"]
                - unanswered[name]["TimeoutError"],
            )
        )
    headers = ("fault", "times", "median recovery", "longest", "refused", "timed out", "cut off")
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True, colalign=_COLUMNS)


_COLUMNS = ("left", *["right"] * 6)


def _recoveries(result: Result, name: str | None = None) -> list[float]:
    return [
        fault.recovery
        for fault in result.injected
        if fault.recovery is not None and name in (None, fault.name)
    ]


def _unanswered(result: Result) -> dict[str, Counter[str]]:
    begun = [fault.begun for fault in result.injected]
    unanswered: dict[str, Counter[str]] = defaultdict(Counter)
    for delivery in result.deliveries:
        for answer in delivery.answers:
            number = bisect_right(begun, answer.came)
            if answer.http is None and number:
                unanswered[result.injected[number - 1].name][answer.body["error"]] += 1
    return unanswered


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def tidy(folder: Path, result: Result) -> None:
    """Remove the folder of a clean run. Keep another one's: the databases, the server's
    output, and with them what was sent and answered."""
    if result.is_clean:
        shutil.rmtree(folder)
        return
    with (folder / "deliveries.jsonl").open("w") as file:
        for delivery in result.deliveries:
            answers = [asdict(answer) for answer in delivery.answers]
            file.write(json.dumps({"alert": delivery.alert.name, "answers": answers}) + "\n")
    with (folder / "faults.jsonl").open("w") as file:
        for fault in result.injected:
            file.write(json.dumps(asdict(fault)) + "\n")
    (folder / "findings.txt").write_text(
        "".join(f"{line}\n" for line in [*result.troubles, *result.findings])
    )
    print(
        f"{len(result.troubles)} troubles, {len(result.findings)} findings. Everything is kept "
        f"in {folder}: databases, *.log, deliveries.jsonl, faults.jsonl, findings.txt"
    )
