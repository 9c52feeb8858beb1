"""Forgetting what is old and explains no trade: settled log entries, refused alerts.

Trades, lots, corrections and the alerts they came from stay for ever, and so does every
alert of a book.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import QuerySet

from locks import held
from wal import retention
from wal.models import Entry, EntryStatus
from wal.steps import told_in_steps
from webhooks import trail
from webhooks.entry_findings import COMPARED_COLUMNS, compared
from webhooks.models import WebhookLog

#: Rows deleted in one transaction; in the log it takes some 20 ms, and an append that
#: comes meanwhile waits for it.
BATCH: Final = 500
#: With 5,000, appends waited over half a second.
MOST_TOGETHER: Final = 2000

#: An advisory lock of the main database: "tbak" in ASCII.
_BACKUP: Final = 0x7462616B


@dataclass(slots=True)
class Pruned:
    """What was forgotten, or would be."""

    entries: int = 0
    #: Rejected ones, in webhook_logs.
    alerts: int = 0
    #: Alerts that were refused by rate.
    refusals: int = 0
    #: Old entries that stay, because webhook_logs does not tell the same of them.
    kept: int = 0


def prune(
    before: datetime,
    *,
    batch: int = BATCH,
    dry_run: bool = False,
    log_only: bool = False,
    advance: Callable[[int], object] = lambda number: None,
) -> Pruned:
    """Forget what was received before that time, `batch` rows (at most MOST_TOGETHER) at a time.

    With `log_only` rejected alerts stay: another host's log may still have entries of them.

    Cut off at any point it leaves nothing for reconciliation to find: a rejected alert
    goes after its log entry. Needs both databases, and raises what they raise. Calls
    `advance` with the number of rows done since.
    """
    pruned = Pruned()
    for going, staying in _old_entries(before, batch):
        pruned.entries += len(going) if dry_run else retention.forget(going)
        pruned.kept += len(staying)
        advance(len(going) + len(staying))
    refused = () if log_only else _refused_alerts(before, batch, still_in_log=dry_run)
    for places in refused:
        pruned.alerts += len(places) if dry_run else _forget_refused(places)
        advance(len(places))
    for refusals in told_in_steps(retention.refusals(before=before), "id", step=batch):
        ids = [refusal_id for (refusal_id,) in refusals]
        pruned.refusals += len(ids) if dry_run else retention.forget_refusals(ids)
        advance(len(ids))
    return pruned


def number_of_old_rows(before: datetime) -> int:
    """How often `prune` calls `advance`, roughly: for a progress bar."""
    return (
        retention.settled(received_before=before).count()
        + _refused(before).count()
        + retention.refusals(before=before).count()
    )


def paused() -> AbstractContextManager[None]:
    """Let no alert be pruned meanwhile, so that a copy of the log fits a later one of the alerts.

    Waits for a batch in hand, and for others who called it.
    """
    return held(DEFAULT_DB_ALIAS, _BACKUP)


def _old_entries(before: datetime, batch: int) -> Iterator[tuple[list[int], list[int]]]:
    """Ids of entries that go, and of those that stay: they may be all that is left of an alert."""
    entries = retention.settled(received_before=before)
    for old in told_in_steps(entries, *COMPARED_COLUMNS, step=batch):
        rows = WebhookLog.objects.order_by().filter(correlation_id__in=[row[1] for row in old])
        staying = {entry_id for finding in compared(old, rows) for entry_id in finding.entries}
        yield [row[0] for row in old if row[0] not in staying], sorted(staying)


def _refused(before: datetime) -> QuerySet[WebhookLog]:
    return WebhookLog.objects.filter(chain=trail.REFUSED, received_at__lt=before)


def _refused_alerts(before: datetime, batch: int, *, still_in_log: bool) -> Iterator[list[int]]:
    """Places of old alerts whose log entries are gone (or with `still_in_log`, would be).

    Their chain can be cut short and not be pierced: one that stays keeps those after it.
    """
    chain = WebhookLog.objects.filter(chain=trail.REFUSED).order_by("place")
    # No alert that was refused has lots, unless something is wrong; then it stays.
    columns = ("place", "correlation_id", "received_at", "lots_entered", "lots_exited")
    place = 0
    while rows := list(chain.filter(place__gt=place).values_list(*columns)[:batch]):
        in_log = Entry.objects.filter(correlation_id__in=[row[1] for row in rows])
        if still_in_log:
            in_log = in_log.exclude(status=EntryStatus.FAILED)
        staying = set(in_log.values_list("correlation_id", flat=True))
        going = []
        for its_place, correlation_id, received_at, entered, exited in rows:
            if received_at >= before or correlation_id in staying or entered or exited:
                break
            going.append(its_place)
        if going:
            yield going
        if len(going) < len(rows):
            return
        place = going[-1]


def _forget_refused(places: list[int]) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_BACKUP])
        return trail.forget(trail.REFUSED, places[-1])
