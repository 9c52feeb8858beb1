"""What the log has settled since the backup that the main database was restored from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from faults import StrategyDisabled
from wal import journal
from wal.models import UNSETTLED, Entry, EntryStatus
from wal.steps import told_in_steps, walk
from webhooks.entry_findings import MARKS, TOGETHER
from webhooks.models import LogStatus, WebhookLog
from webhooks.wanted import WAS_DISABLED, WAS_RETRIED


def settled_since_backup(advance: Callable[[int], object] = lambda number: None) -> list[int]:
    """Ids of the entries that are marked as settled, and that webhook_logs knows otherwise or not.

    Of a book's entries that it does not know, those after the last one that it knows: a book
    is applied in the order of the log, so they are what came after the backup. One before
    that was lost in another way, and would be netted against what came later. Asked before
    anything newer is applied. Calls `advance` with the number of entries compared since.
    """
    otherwise: list[int] = []
    unknown: dict[str, list[int]] = {}
    settled = Entry.objects.exclude(status__in=UNSETTLED)
    columns = ("id", "correlation_id", "status", "webhook_log_id", "book")
    for batch in told_in_steps(settled, *columns, step=TOGETHER):
        alerts = WebhookLog.objects.order_by()
        names = [name for _, name, *_ in batch]
        known = dict(
            alerts.filter(correlation_id__in=names).values_list("correlation_id", "status")
        )
        named = [row_id for *_, row_id, _ in batch if row_id is not None]
        there = set(alerts.filter(pk__in=named).values_list("pk", flat=True))
        for entry_id, name, mark, row_id, book in batch:
            if name in known:
                unknown.pop(book, None)
                if MARKS[LogStatus(known[name])] != mark:
                    otherwise.append(entry_id)
            # A duplicate has no row of its own but its first one's.
            elif mark != EntryStatus.DUPLICATE or row_id not in there:
                unknown.setdefault(book, []).append(entry_id)
        advance(len(batch))
    return sorted(otherwise + [entry_id for ids in unknown.values() for entry_id in ids])


def set_back(entry_ids: Sequence[int]) -> None:
    """Have these entries applied once more, in the order of the log and as the first time.

    By whoever comes by then, a server or a replay, and before what comes in later. All of
    them are set back, or none where it fails.
    """
    chosen = frozenset(entry_ids)
    disabled = journal.having(EntryStatus.FAILED).filter(
        last_error__startswith=StrategyDisabled.code
    )
    # What switched the strategy off is lost with the database, and so is who tried what failed
    # once more.
    envelopes = {
        entry.pk: {**entry.envelope, note: True}
        for note, entries in ((WAS_DISABLED, walk(disabled)), (WAS_RETRIED, _retried()))
        for entry in entries
        if entry.pk in chosen
    }
    journal.set_back(entry_ids, envelopes)


def _retried() -> Iterator[Entry]:
    """Entries that are marked as applied, and whose rows are from before, when they failed."""
    failed = WebhookLog.objects.filter(status=LogStatus.FAILED)
    for batch in told_in_steps(failed, "id", "correlation_id", step=TOGETHER):
        names = [name for _, name in batch]
        yield from Entry.objects.filter(status=EntryStatus.COMPLETED, correlation_id__in=names)
