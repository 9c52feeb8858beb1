"""What the log lines and the metrics tell of an alert, besides the answer and the tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter

import metering
from faults import Fault, Status
from wal.models import Entry
from webhooks.models import LogStatus
from webhooks.outcome import Outcome
from webhooks.signal import book_parts

logger = logging.getLogger(__name__)


@contextmanager
def lines_about(entry: Entry, book: str) -> Iterator[None]:
    """Every log line that is written meanwhile tells the entry, and what it is about."""
    with structlog.contextvars.bound_contextvars(**_about(entry.correlation_id, entry.pk, book)):
        yield


def tell_entry(entry: Entry, book: str) -> None:
    """The further log lines of the request at hand tell its entry, and what it is about.

    Where no request brought it (a mail), nothing is bound: nobody would take it off again.
    """
    if structlog.contextvars.get_contextvars().get("correlation_id") == str(entry.correlation_id):
        structlog.contextvars.bind_contextvars(wal_id=entry.pk, **_told(book))


def tell_book(book: str) -> None:
    """The request's further log lines tell what it is about, as far as that is known."""
    structlog.contextvars.bind_contextvars(**_told(book))


def _about(correlation_id: UUID, wal_id: int, book: str) -> dict[str, Any]:
    return {"correlation_id": str(correlation_id), "wal_id": wal_id, **_told(book)}


def _told(book: str) -> dict[str, Any]:
    strategy, symbol = book_parts(book)
    return {"strategy": strategy, "symbol": symbol} if symbol else {}


def observe(entry: Entry, book: str, outcome: Outcome) -> None:
    """Tell and count what became of an entry; called once it is settled."""
    log, fault = outcome.log, outcome.fault
    # On the lines themselves: to bind it for them takes longer than to say it.
    about = _about(entry.correlation_id, entry.pk, book)
    told = about | {"webhook_log_id": log.pk}
    if fault is not None:
        told["error_code"] = fault.code
    elif log.action:
        told["action"] = log.action
    logger.info("Alert %s", log.status if fault is None else fault.status, extra=told)
    if outcome.key_reused:
        logger.warning("An order has no effect: its key is alert %s's", log.pk, extra=about)
    if log.via_mail and outcome.is_new:
        logger.warning("A webhook was missed: alert %s came by mail alone", log.pk, extra=about)
    for released in outcome.released:
        told = _about(released.correlation_id, released.wal_id, book) | {
            "webhook_log_id": released.pk,
            "action": released.action,
        }
        logger.info("Alert %s, which had been parked", released.status, extra=told)
    _count(outcome)


def _count(outcome: Outcome) -> None:
    if outcome.is_duplicate:
        metering.duplicates.inc()
        if outcome.key_reused:
            metering.keys_reused.inc()
        return
    if outcome.is_recorded:
        return
    if outcome.log.via_mail and outcome.is_new:
        metering.missed_webhooks.inc()
    if outcome.log.status == LogStatus.PARKED:
        metering.parked.inc()
    if outcome.drifted:
        metering.drift.inc(outcome.drifted)
    if outcome.discrepancies:
        metering.pnl_discrepancies.inc(outcome.discrepancies)


def count_answer(fault: Fault | None = None) -> None:
    """Count a request to the webhook by what it was answered; None: processed."""
    (_processed if fault is None else _answered_with(type(fault))).inc()


def _answered_with(kind: type[Fault]) -> Counter:
    return metering.requests.labels(str(kind.http_status), kind.status, kind.code)


def _count_from_zero(kind: type[Fault]) -> None:
    for narrower in kind.__subclasses__():
        _answered_with(narrower)
        _count_from_zero(narrower)


_processed = metering.requests.labels("200", Status.PROCESSED, "")
_count_from_zero(Fault)
