"""The alert that another one is the same as, and whether it ordered the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from webhooks.identity import identity, identity_in_strategy, identity_is_lasting
from webhooks.models import WebhookLog
from webhooks.reading import read_again
from webhooks.signal import Signal


def find_same(signal: Signal, received_at: datetime) -> WebhookLog | None:
    """The row of the same alert, if it has come before; `received_at` is when this one came."""
    key = identity(signal)
    if identity_is_lasting(signal):
        alike = WebhookLog.objects.filter(idempotency_key__in=[key, identity_in_strategy(signal)])
        return alike.filter(strategy=signal.strategy).first()
    apart = timedelta(seconds=settings.DUPLICATE_SECONDS)
    alike = WebhookLog.objects.filter(
        idempotency_key__startswith=f"{key}@",
        received_at__gt=received_at - apart,
        received_at__lt=received_at + apart,
    )
    return alike.order_by("id").first()


def orders_another(signal: Signal, first: WebhookLog) -> bool:
    """Whether an alert with the first one's key orders something else than that did.

    Times are left out: a relay that sends an alert again may put its own into it. Where the
    first was read by another version, and cannot be now, nobody can tell.
    """
    first_signal = read_again(first).signal
    return first_signal is not None and _ordered(signal) != _ordered(first_signal)


def _ordered(signal: Signal) -> tuple[Any, ...]:
    return signal.book, signal.intent, signal.direction, signal.quantity, signal.price
