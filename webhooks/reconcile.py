"""Reconciliation: what does not hold between the log, the alerts, the lots and the trades.

Finding changes nothing. Mending derives a book once more from its alerts, by the
code that applies them live, and writes only what differs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from django.db.models import ProtectedError

from faults import Queued
from positions.findings import Finding, FindingKind
from positions.reconcile import lot_and_trade_findings
from trades.numeric import plain
from webhooks.alert_findings import alert_findings
from webhooks.book_mending import Change, change_of, mend_book
from webhooks.entry_findings import entry_findings
from webhooks.entry_mending import mend_entry
from webhooks.expectation import NotDerivable
from webhooks.models import LogStatus, WebhookLog
from webhooks.snapshot import one_moment

logger = logging.getLogger(__name__)

#: Findings that are mended by giving a log entry its effect; the others by deriving
#: their book.
OF_ENTRIES = frozenset(
    {
        FindingKind.ENTRY_STUCK,
        FindingKind.ENTRY_WITHOUT_ROW,
        FindingKind.ENTRY_MARKED_OTHERWISE,
        FindingKind.PARKED_WITHOUT_ENTRY,
    }
)

#: Mending one book can free a row that another one misses, but not for ever.
_ROUNDS = 4

Book = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done about some findings of one book."""

    strategy: str
    symbol: str
    #: As they were before.
    findings: tuple[Finding, ...]
    #: `reconciliations.id`; None where somebody else was there first, and nothing changed.
    reconciliation: int | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        return {
            "strategy": self.strategy,
            "symbol": self.symbol,
            "findings": [finding.as_json() for finding in self.findings],
            "reconciliation": self.reconciliation,
        }


def _silently(number: int) -> None:
    pass


def find(
    strategy: str | None = None, advance: Callable[[int], object] = _silently
) -> list[Finding]:
    """Everything that does not hold, of one strategy (by name) or of all. Changes nothing.

    Calls `advance` with the number of log entries compared since.
    """
    with one_moment():
        found = [*lot_and_trade_findings(strategy), *alert_findings(strategy)]
    found += entry_findings(strategy, advance)
    mendable = _mendable(found, _books_with_gaps(found))
    return [
        replace(finding, mendable=True, sentence=finding.sentence + mendable[finding])
        if finding in mendable
        else finding
        for finding in found
    ]


def mend(
    strategy: str | None = None, advance: Callable[[int], object] = _silently
) -> tuple[list[Mended], list[Finding]]:
    """Mend what can be derived from the log: what was mended, and what is left.

    Each book is mended in a transaction of its own; one that fails is left as it was, and the
    log says why. Done again, it changes nothing.
    """
    mended: list[Mended] = []
    failed: set[Book] = set()
    found = find(strategy, advance)
    for _ in range(_ROUNDS):
        # Books first, so that entries find the right position.
        done = [*_mend_books(found, failed), *_mend_entries(found)]
        if not done:
            break
        mended += done
        found = find(strategy, advance)
    return mended, found


def _book(finding: Finding) -> Book:
    return finding.strategy, finding.symbol


def _by_book(found: Iterable[Finding]) -> dict[Book, list[Finding]]:
    """Findings by the books they are about; a lot gone astray is about its alert's too."""
    found = list(found)
    astray = [finding for finding in found if finding.kind is FindingKind.LOT_WITHOUT_ALERT]
    book_of_alert = {
        alert: (strategy, symbol)
        for alert, strategy, symbol in WebhookLog.objects.filter(
            pk__in=[alert for finding in astray for alert in finding.alerts],
            status=LogStatus.PROCESSED,
        ).values_list("pk", "strategy", "symbol")
    }
    books: dict[Book, list[Finding]] = {}
    for finding in found:
        own = {_book(finding)}
        if finding.kind is FindingKind.LOT_WITHOUT_ALERT:
            own.update(book_of_alert[alert] for alert in finding.alerts if alert in book_of_alert)
        for book in sorted(own):
            books.setdefault(book, []).append(finding)
    return books


def _books_with_gaps(found: Iterable[Finding]) -> frozenset[Book]:
    """Books that an alert was lost from, so that the others do not tell what they hold."""
    return frozenset(
        _book(finding)
        for finding in found
        if finding.kind is FindingKind.ENTRY_WITHOUT_ROW and not finding.mendable
    )


def _mendable(found: Iterable[Finding], gaps: frozenset[Book]) -> dict[Finding, str]:
    """The findings about books that their alerts tell how to mend, and what they do not tell."""
    changes: dict[Book, Change] = {}
    about_books = [finding for finding in found if finding.kind not in OF_ENTRIES]
    for book in _by_book(about_books).keys() - gaps:
        with suppress(NotDerivable), one_moment():
            changes[book] = change_of(*book)
    # A row that one book cannot explain may be another one's, gone astray.
    lots = frozenset(chain(*(change.difference.changed_lots for change in changes.values())))
    trades = frozenset(chain(*(change.difference.changed_trades for change in changes.values())))

    def is_mended(finding: Finding) -> bool:
        change = changes.get(_book(finding))
        if change is None:
            return False
        strange_lots = change.difference.unexplained_lots.intersection(finding.lots)
        strange_trades = change.difference.unexplained_trades.intersection(finding.trades)
        is_touched = bool(change) or not (
            lots.isdisjoint(finding.lots) and trades.isdisjoint(finding.trades)
        )
        return is_touched and strange_lots <= lots and strange_trades <= trades

    return {
        finding: _untold(changes[_book(finding)], finding)
        for finding in about_books
        if is_mended(finding)
    }


def _untold(change: Change, finding: Finding) -> str:
    """What mending takes for given, as a sentence."""
    if not any(alert.standing.pk in finding.alerts for alert in change.guessed):
        return ""
    value = plain(change.strategy.point_value_of(change.symbol))
    return f" The point value of then is not known: --fix takes today's, {value:f}."


def _mend_books(found: list[Finding], failed: set[Book]) -> Iterator[Mended]:
    """Mend each book but those that failed before; adds to them."""
    mendable = [one for one in found if one.mendable and one.kind not in OF_ENTRIES]
    for book, findings in _by_book(mendable).items():
        if book in failed:
            continue
        try:
            record = mend_book(*book, findings)
        except (NotDerivable, ProtectedError):
            continue  # Something came between looking and mending; the next look tells.
        except Exception:
            # Our own fault; its findings are left, and no other book's.
            logger.exception("The book of %s on %s could not be mended", *book)
            failed.add(book)
            continue
        if record is not None:
            yield Mended(*book, tuple(findings), record.pk)


def _mend_entries(found: list[Finding]) -> Iterator[Mended]:
    mendable = [one for one in found if one.mendable and one.kind in OF_ENTRIES]
    for finding in sorted(mendable, key=lambda one: one.entries):
        try:
            record = mend_entry(finding)
        except Queued:
            continue  # It stays as it is, and the next look finds it again.
        yield Mended(finding.strategy, finding.symbol, (finding,), record.pk if record else None)
