"""The row in webhook_logs that an entry gets."""

from __future__ import annotations

from django.utils import timezone

import rows
from wal.models import Entry
from webhooks.models import LogStatus, WebhookLog
from webhooks.payload import subject_of
from webhooks.signal import Signal


def row_of(entry: Entry, signal: Signal | None, *, key: str) -> WebhookLog:
    """What an entry says, as a row that is not yet saved and tells of no effect.

    `key` is its idempotency key. Without a signal it says whose it is, where that can be read:
    a strategy whose alerts nobody understands is not well.
    """
    said: dict[str, object]
    if signal is None:
        subject = subject_of(bytes(entry.body))
        said = {
            "strategy": subject.strategy,
            "symbol": subject.symbol,
            "is_test": subject.is_test,
            "order_time": subject.time,
        }
    else:
        said = {
            "strategy": signal.strategy,
            "symbol": signal.symbol,
            "is_test": signal.is_test,
            "order_time": signal.time,
            "direction": signal.direction or "",
            "price": signal.price,
        }
    return rows.new(
        WebhookLog,
        correlation_id=entry.correlation_id,
        wal_id=entry.pk,
        idempotency_key=key,
        status=LogStatus.PROCESSED,
        payload=_as_text(bytes(entry.body)),
        token_name=entry.envelope.get("token", ""),
        source_address=entry.envelope.get("address") or None,
        received_at=entry.received_at,
        via_mail=entry.via_mail,
        processed_at=timezone.now(),
        **said,
    )


def _as_text(body: bytes) -> str:
    # PostgreSQL's text holds no NUL, and a body need not be UTF-8; both stay readable.
    return body.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
