"""Gives a log entry the effect that reconciliation found missing, and records what that changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from faults import Queued
from positions.findings import Finding
from positions.models import Lot, LotStatus, Reconciliation
from trades.models import Strategy, Trade
from trades.whole_rows import whole_rows
from wal.models import Entry, EntryStatus
from webhooks.applying import apply
from webhooks.models import LogStatus, WebhookLog
from webhooks.pipeline import give_up_waiting, settle_through
from webhooks.reading import read
from webhooks.wanted import Wanted

#: By table and id.
Rows = dict[str, dict[object, dict[str, object]]]

#: All that a log entry tells but the message, which never changes.
_OF_ENTRY: Final = [field.attname for field in Entry._meta.concrete_fields if field.name != "body"]


def mend_entry(finding: Finding) -> Reconciliation | None:
    """Give the finding's entry its effect, by the pipeline; None where that changed nothing.

    The record follows the effect, which is in a transaction of the pipeline's: of one that is
    killed in between, the alert's own row tells. Raises Queued where the entry has to wait.
    """
    alert = None if finding.entries else WebhookLog.objects.get(pk=finding.alerts[0])
    entry = _lost(alert) if alert else Entry.objects.get(pk=finding.entries[0])
    reach = _Reach.of(finding, entry)
    before = reach.rows()
    if alert:
        [outcome] = apply([Wanted(entry, read(entry), give_up=True)])
        if outcome is None:
            raise Queued("Somebody else is at work on its book.")
    else:
        _settle(entry)
    after = reach.rows()
    was, since = _differing(before, after), _differing(after, before)
    if not was and not since:
        return None
    return Reconciliation.objects.create(
        strategy=Strategy.objects.filter(name=finding.strategy).first(),
        symbol=finding.symbol,
        findings=[finding.as_json()],
        before=was,
        after=since,
    )


@dataclass(frozen=True, slots=True)
class _Reach:
    """All rows that the effect of an entry can make or change."""

    strategy: str
    #: Of its alert, and of the exits that it may let through.
    correlation_ids: frozenset[UUID]
    #: The ids of lots that it may close.
    lots: frozenset[int]

    @classmethod
    def of(cls, finding: Finding, entry: Entry) -> _Reach:
        """As things are before the effect."""
        parked = WebhookLog.objects.filter(
            strategy=finding.strategy, symbol=finding.symbol, status=LogStatus.PARKED
        )
        lots = Lot.objects.filter(
            strategy__name=finding.strategy, symbol=finding.symbol, status=LotStatus.OPEN
        )
        return cls(
            finding.strategy,
            frozenset({entry.correlation_id, *parked.values_list("correlation_id", flat=True)}),
            frozenset(lots.values_list("pk", flat=True)),
        )

    def rows(self) -> Rows:
        """Those that are there now."""
        ours = Q(correlation_id__in=self.correlation_ids)
        # By their ids, so that each lot is looked up by an index.
        alerts = list(WebhookLog.objects.filter(ours).values_list("pk", flat=True))
        moved = Q(entry_webhook_log__in=alerts) | Q(exit_webhook_log__in=alerts)
        return {
            **_by_id(Strategy, Q(name=self.strategy)),
            **_by_id(Lot, Q(pk__in=self.lots) | moved),
            **_by_id(Trade, Q(lot__exit_webhook_log__in=alerts)),
            **_by_id(WebhookLog, ours),
            **_by_id(Entry, ours, _OF_ENTRY),
        }


def _by_id(
    model: type[Strategy | Lot | Trade | WebhookLog | Entry], which: Q, columns: Iterable[str] = ()
) -> Rows:
    found = whole_rows(model._default_manager.filter(which), *columns)
    return {model._meta.db_table: {row["id"]: row for row in found}}


def _differing(rows: Rows, others: Rows) -> dict[str, list[dict[str, object]]]:
    """Those of the rows that are not the same among the others; only tables with some."""
    differing = {
        table: [row for key, row in found.items() if others[table].get(key) != row]
        for table, found in rows.items()
    }
    return {table: found for table, found in differing.items() if found}


def _settle(entry: Entry) -> None:
    # A claim that is alive is waited for until it would have ended.
    patience = settings.LEASE_SECONDS + 1.0
    if entry.status == EntryStatus.PARKED:
        give_up_waiting(entry, patience=patience)
    else:
        settle_through(entry, patience=patience)


def _lost(alert: WebhookLog) -> Entry:
    """The entry of a parked alert, which the log has lost."""
    return Entry(
        pk=alert.wal_id,
        correlation_id=alert.correlation_id,
        body=alert.payload.encode(),
        # Whether it came with a header is lost as well; the key that goes first is the row's.
        envelope={"given_key": alert.idempotency_key},
        received_at=alert.received_at,
    )
