"""What the write-ahead log and webhook_logs must hold together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

from django.db.models import Max, QuerySet
from django.utils import timezone

from positions.findings import Finding, FindingKind
from wal import journal
from wal.models import UNSETTLED, Entry, EntryStatus
from wal.steps import told_in_steps, walk
from webhooks.models import LogStatus, WebhookLog
from webhooks.outcome import settled_as
from webhooks.parking import parking_time
from webhooks.reading import NO_BOOK, book_of
from webhooks.signal import book_name, book_parts

#: How much longer than it should something may take before it counts as stuck; what
#: is younger, a live server is about to do.
GRACE: Final = timedelta(seconds=2)

#: Entries that are compared with webhook_logs at once.
TOGETHER: Final = 5000


def entry_findings(
    strategy: str | None = None, advance: Callable[[int], object] = lambda number: None
) -> Iterator[Finding]:
    """What does not hold between the log and webhook_logs, of one strategy or of all.

    Calls `advance` with the number of settled entries compared since.
    """
    yield from _stuck(strategy)
    yield from _lost(strategy, advance)
    yield from _waiting_in_vain(strategy)


def _stuck(strategy: str | None) -> Iterator[Finding]:
    now = timezone.now()
    late = journal.free().filter(received_at__lt=now - GRACE)
    parked = journal.parked(before=now - GRACE - parking_time())
    for entry in chain(walk(late), walk(parked)):
        named, symbol = _book_of(entry)
        if strategy not in (None, named):
            continue
        is_parked = entry.status == EntryStatus.PARKED
        since = (is_parked and entry.settled_at) or entry.had_at
        age = f"since {since:%Y-%m-%d %H:%M:%S} UTC"
        yield Finding(
            FindingKind.ENTRY_STUCK,
            named,
            symbol,
            f"Log entry {entry.pk} has waited for its entry alert {age}."
            if is_parked
            else f"Log entry {entry.pk} waits to be applied {age}"
            + (f"; last: {entry.last_error}" if entry.last_error else "."),
            alerts=(entry.webhook_log_id,) if is_parked and entry.webhook_log_id else (),
            entries=(entry.pk,),
            mendable=True,
        )


def _lost(strategy: str | None, advance: Callable[[int], object]) -> Iterator[Finding]:
    """Settled entries that webhook_logs does not know, or knows otherwise."""
    entries = Entry.objects.exclude(status__in=UNSETTLED)
    rows = WebhookLog.objects.order_by()
    if strategy is not None:
        # An entry has its book's label once it is settled.
        entries = entries.filter(book__startswith=book_name(strategy, ""))
        rows = rows.filter(strategy=strategy)
    for batch in told_in_steps(entries, *COMPARED_COLUMNS, step=TOGETHER):
        yield from compared(batch, rows.filter(wal_id__range=(batch[0][0], batch[-1][0])))
        advance(len(batch))


#: How an entry is marked whose alert has this status.
MARKS: Final = {status: settled_as(WebhookLog(status=status)).value for status in LogStatus}


#: What `compared` wants of an entry.
COMPARED_COLUMNS: Final = ("id", "correlation_id", "status", "webhook_log_id")


def compared(batch: Iterable[tuple[Any, ...]], rows: QuerySet[WebhookLog]) -> Iterator[Finding]:
    """What does not hold between settled entries and `rows`, among which theirs should be."""
    known = {
        name: (status, processed_at)
        for name, status, processed_at in rows.values_list(
            "correlation_id", "status", "processed_at"
        )
    }
    unknown, otherwise = {}, []
    for entry_id, correlation_id, mark, row_id in batch:
        row = known.get(correlation_id)
        if row is None:
            unknown[entry_id] = (mark, row_id)
        elif MARKS[LogStatus(row[0])] != mark and not _is_recent(row[1], mark):
            otherwise.append(entry_id)
    if otherwise:
        yield from _marked_otherwise(otherwise)
    if unknown:
        firsts = [row_id for _, row_id in unknown.values() if row_id is not None]
        found = set(WebhookLog.objects.filter(pk__in=firsts).values_list("pk", flat=True))
        yield from _without_row(
            [
                entry_id
                for entry_id, (mark, row_id) in unknown.items()
                if mark != EntryStatus.DUPLICATE or row_id not in found
            ]
        )


def _marked_otherwise(entry_ids: list[int]) -> Iterator[Finding]:
    entries = list(Entry.objects.filter(pk__in=entry_ids).order_by("id"))
    rows = WebhookLog.objects.in_bulk(
        [entry.correlation_id for entry in entries], field_name="correlation_id"
    )
    for entry in entries:
        row = rows[entry.correlation_id]
        yield Finding(
            FindingKind.ENTRY_MARKED_OTHERWISE,
            *_book_of(entry),
            f"Log entry {entry.pk} is marked as {entry.status}, but its alert {row.pk} is "
            f"{row.status}.",
            alerts=(row.pk,),
            entries=(entry.pk,),
            mendable=True,
        )


def _is_recent(processed_at: datetime, mark: str) -> bool:
    # Between the commit and the mark, a live server's two tables differ. And where an exit's
    # entry came to another host, which let it through, its own log learns of it when its time
    # to wait is over.
    known = GRACE + (parking_time() if mark == EntryStatus.PARKED else timedelta(0))
    return processed_at > timezone.now() - known


def _without_row(entry_ids: list[int]) -> Iterator[Finding]:
    entries = list(Entry.objects.filter(pk__in=entry_ids).order_by("id"))
    applied = WebhookLog.objects.filter(
        correlation_id__in=[entry.correlation_id for entry in entries]
    ).values_list("correlation_id", flat=True)
    found = set(applied)  # Under another number, where the log was moved.
    entries = [entry for entry in entries if entry.correlation_id not in found]
    books = {_book_of(entry) for entry in entries}
    last_received = {
        (strategy, symbol): received_at
        for strategy, symbol, received_at in WebhookLog.objects.filter(
            strategy__in={strategy for strategy, _ in books}, status=LogStatus.PROCESSED
        )
        .order_by()
        .values_list("strategy", "symbol")
        .annotate(Max("received_at"))
    }
    for entry in entries:
        book = _book_of(entry)
        last = last_received.get(book)
        # Applied now, an order is netted against the position of now. That is right
        # where nothing of its book came after it, as in a database restored from a
        # backup; and what was refused once must not take effect after all.
        in_time = last is None or last < entry.received_at
        mendable = entry.book == NO_BOOK or (in_time and entry.status != EntryStatus.FAILED)
        yield Finding(
            FindingKind.ENTRY_WITHOUT_ROW,
            *book,
            f"Log entry {entry.pk} is marked as {entry.status}, but no alert in webhook_logs comes "
            "from it."
            + ("" if mendable else f" `replay_wal --id {entry.pk}` would apply it as of now."),
            entries=(entry.pk,),
            mendable=mendable,
        )


def _waiting_in_vain(strategy: str | None) -> Iterator[Finding]:
    before = timezone.now() - GRACE - parking_time()
    parked = WebhookLog.objects.filter(status=LogStatus.PARKED, processed_at__lt=before)
    if strategy is not None:
        parked = parked.filter(strategy=strategy)
    columns = ("id", "correlation_id", "strategy", "symbol", "processed_at")
    for batch in told_in_steps(parked, *columns, step=TOGETHER):
        entries = Entry.objects.filter(correlation_id__in=[alert[1] for alert in batch])
        in_log = set(entries.values_list("correlation_id", flat=True))
        for alert, correlation_id, of_strategy, symbol, since in batch:
            if correlation_id not in in_log:
                yield Finding(
                    FindingKind.PARKED_WITHOUT_ENTRY,
                    of_strategy,
                    symbol,
                    f"Alert {alert} has waited for its entry alert since "
                    f"{since:%Y-%m-%d %H:%M:%S} UTC, and the log has lost it.",
                    alerts=(alert,),
                    mendable=True,
                )


def _book_of(entry: Entry) -> tuple[str, str]:
    """An entry's strategy and symbol, empty where nobody can read it."""
    label = book_of(entry)
    return book_parts(label) if label != NO_BOOK else ("", "")
