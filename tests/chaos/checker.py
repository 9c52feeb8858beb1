"""Compares what was acknowledged with what the tables hold. Imports nothing of the server's."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

from tests.chaos.book_checks import wrong_books
from tests.chaos.findings import Finding, Kind
from tests.chaos.load import Answer, Delivery
from tests.chaos.plan import Alert
from tests.chaos.tables import Entry, Log, Tables

#: Which status of the log goes with which of `webhook_logs`.
_SETTLED_AS = {
    "processed": "completed",
    "parked": "parked",
    "rejected": "failed",
    "failed": "failed",
}


def check(deliveries: Iterable[Delivery], tables: Tables, *, park_seconds: float) -> list[Finding]:
    """All that is wrong, with what `deliveries` tell was sent and answered."""
    deliveries = list(deliveries)
    sent = {delivery.alert.name: delivery.alert for delivery in deliveries}
    return [
        *_unknown(sent, tables),
        *_acknowledged(deliveries, tables),
        *_doubled(tables),
        *_left(tables),
        *_half(tables),
        *_disagreeing(tables),
        *_out_of_order(tables),
        *wrong_books(sent, tables, timedelta(seconds=park_seconds)),
    ]


def refused_yet_taken(deliveries: Iterable[Delivery], tables: Tables) -> int:
    """Requests answered 5xx whose alert is in the log all the same.

    No fault: TradingView sends such an alert again, and it is known as the same one.
    """
    return sum(
        (answer.http or 0) >= 500 and _correlation_id(answer) in tables.entry_of
        for delivery in deliveries
        for answer in delivery.answers
    )


def _unknown(sent: dict[str, Alert], tables: Tables) -> Iterator[Finding]:
    for entry in tables.entries:
        if entry.name not in sent:
            yield Finding(Kind.UNKNOWN, f"log entry {entry.id}")
    for log in tables.logs:
        if log.name not in sent:
            yield Finding(Kind.UNKNOWN, f"alert {log.id}")


def _acknowledged(deliveries: Iterable[Delivery], tables: Tables) -> Iterator[Finding]:
    for delivery in deliveries:
        for answer in delivery.answers:
            if answer.is_acknowledgement:
                yield from _promised(delivery.alert, answer, tables)
            elif answer.http is not None and not 500 <= answer.http < 600:
                yield Finding(
                    Kind.MISANSWERED, f"{delivery.alert.name}: {answer.http} {answer.body}"
                )


def _promised(alert: Alert, answer: Answer, tables: Tables) -> Iterator[Finding]:
    correlation_id = _correlation_id(answer)
    entry = correlation_id and tables.entry_of.get(correlation_id)
    told = f"{alert.name}, answered {answer.http} {answer.status} as {correlation_id}"
    if not entry:
        yield Finding(Kind.LOST, f"{told}: not in the log")
        return
    if entry.name != alert.name:
        yield Finding(Kind.MISANSWERED, f"{told}: log entry {entry.id} is of {entry.name}")
    log = next(iter(tables.logs_named.get(alert.name, ())), None)
    if log is None:
        yield Finding(Kind.LOST, f"{told}: in the log ({entry.status}) and without effect")
        return
    is_first = log.correlation_id == entry.correlation_id
    right = {
        "processed": is_first and log.status == "processed",
        "duplicate": not is_first,
        "parked": is_first and alert.intent in ("exit", "flatten"),
        "queued": True,
    }.get(answer.status, False)
    if not right:
        yield Finding(Kind.MISANSWERED, f"{told}: alert {log.id} is {log.status}")
    for name, real in (("wal_id", log.wal_id), ("webhook_log_id", log.id)):
        if answer.status in ("processed", "duplicate", "parked") and answer.body[name] != real:
            yield Finding(Kind.MISANSWERED, f"{told}: {name} is {answer.body[name]}, not {real}")
    if answer.status == "processed":
        trades = [lot.trade_id for lot in tables.lots_exited.get(log.id, ())]
        if sorted(answer.body.get("trade_ids", [])) != sorted(id for id in trades if id):
            yield Finding(Kind.MISANSWERED, f"{told}: its trades are {trades}")


def _correlation_id(answer: Answer) -> uuid.UUID | None:
    told = answer.body.get("correlation_id")
    return uuid.UUID(told) if told else None


def _doubled(tables: Tables) -> Iterator[Finding]:
    for name, logs in tables.logs_named.items():
        if len(logs) > 1:
            yield Finding(Kind.DOUBLED, f"{name} has alerts {[log.id for log in logs]}")
    for name, entries in tables.entries_named.items():
        done = [entry.id for entry in entries if entry.status in ("completed", "failed")]
        if len(done) > 1:
            yield Finding(Kind.DOUBLED, f"{name} was settled in log entries {done}")
    for rows in (tables.entries, tables.logs):
        for correlation_id, count in Counter(row.correlation_id for row in rows).items():
            if count > 1:
                yield Finding(Kind.DOUBLED, f"{count} rows have correlation id {correlation_id}")


def _left(tables: Tables) -> Iterator[Finding]:
    for entry in tables.entries:
        if entry.status in ("pending", "processing", "parked"):
            yield Finding(Kind.LEFT, f"entry {entry.id} ({entry.name}) is {entry.status}")


def _half(tables: Tables) -> Iterator[Finding]:
    its_lots = Counter(lot.trade_id for lot in tables.lots if lot.trade_id is not None)
    for lot in tables.lots:
        if lot.status == "closed" and lot.trade_id not in tables.trade_by_id:
            yield Finding(Kind.HALF, f"lot {lot.id} is closed and has no trade")
        if lot.status == "open" and (lot.trade_id or lot.exit_webhook_log_id):
            yield Finding(Kind.HALF, f"lot {lot.id} is open and has a trade or an exit")
        for id in (lot.entry_webhook_log_id, lot.exit_webhook_log_id):
            log = tables.log_by_id.get(id) if id is not None else None
            if id is not None and (log is None or log.status != "processed"):
                yield Finding(Kind.HALF, f"lot {lot.id} comes of alert {id}, which did nothing")
    for trade in tables.trades:
        if its_lots[trade.id] != 1:
            yield Finding(Kind.HALF, f"trade {trade.id} has {its_lots[trade.id]} lots")
    for log in tables.logs:
        exited = tables.lots_exited.get(log.id, [])
        if log.status == "processed" and not exited and log.id not in tables.lots_entered:
            yield Finding(Kind.HALF, f"alert {log.id} was processed and has no lot")
        if log.trade_id != min((lot.trade_id or 0 for lot in exited), default=None):
            yield Finding(Kind.HALF, f"alert {log.id} names trade {log.trade_id} as its first")


def _disagreeing(tables: Tables) -> Iterator[Finding]:
    for log in tables.logs:
        entry = tables.entry_of.get(log.correlation_id)
        if entry is None:
            yield Finding(Kind.DISAGREEMENT, f"alert {log.id} is not in the log")
        elif (entry.id, entry.webhook_log_id) != (log.wal_id, log.id) or (
            entry.status != _SETTLED_AS[log.status]
        ):
            yield Finding(Kind.DISAGREEMENT, _told(entry, log))
    for entry in tables.entries:
        if entry.status in ("completed", "failed") and entry.correlation_id not in tables.log_of:
            yield Finding(Kind.DISAGREEMENT, f"{_told(entry, None)}, which is not there")
        if entry.status == "duplicate":
            first = tables.log_by_id.get(entry.webhook_log_id or 0)
            if first is None or first.name != entry.name or not _comes_before(first, entry, tables):
                yield Finding(Kind.DISAGREEMENT, _told(entry, first))


def _comes_before(first: Log, entry: Entry, tables: Tables) -> bool:
    """Whether an alert was received before an entry, as far as their logs tell."""
    its_entry = tables.entry_of.get(first.correlation_id)
    return (its_entry is not None and its_entry.log != entry.log) or first.wal_id < entry.id


def _told(entry: Entry, log: Log | None) -> str:
    told = f"log entry {entry.id} ({entry.name}) is {entry.status} by alert {entry.webhook_log_id}"
    return told if log is None else f"{told}; alert {log.id} is {log.status} by {log.wal_id}"


def _out_of_order(tables: Tables) -> Iterator[Finding]:
    last: dict[tuple[int, str, str], Log] = {}
    for log in tables.logs:
        entry = tables.entry_of.get(log.correlation_id)
        book = (entry.log if entry else 0, log.strategy, log.symbol)
        before = last.get(book)
        if before is not None and before.wal_id > log.wal_id:
            yield Finding(
                Kind.OUT_OF_ORDER, f"entry {log.wal_id} was applied after entry {before.wal_id}"
            )
        last[book] = log
