"""What the log lines tell of an alert, besides the answer and the tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from wal.models import Entry
from webhooks.outcome import Outcome
from webhooks.signal import book_parts

logger = logging.getLogger(__name__)


@contextmanager
def lines_about(entry: Entry, book: str) -> Iterator[None]:
    """Every log line that is written meanwhile tells the entry, and what it is about."""
    strategy, symbol = book_parts(book)
    about: dict[str, Any] = {"correlation_id": str(entry.correlation_id), "wal_id": entry.pk}
    if symbol:
        about |= {"strategy": strategy, "symbol": symbol}
    with structlog.contextvars.bound_contextvars(**about):
        yield


def observe(outcome: Outcome) -> None:
    """Tell what became of an alert; called once it is settled."""
    log, fault = outcome.log, outcome.fault
    told: dict[str, Any] = {"webhook_log_id": log.pk}
    if fault is not None:
        told["error_code"] = fault.code
    elif log.action:
        told["action"] = log.action
    logger.info("Alert %s", log.status if fault is None else fault.status, extra=told)
    if log.via_mail and not outcome.is_duplicate:
        logger.warning("A webhook was missed: alert %s came by mail alone", log.pk)
