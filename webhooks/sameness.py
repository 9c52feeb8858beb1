"""The alert that another one is the same as."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from webhooks.identity import identity, identity_is_lasting
from webhooks.models import WebhookLog
from webhooks.signal import Signal


def find_same(signal: Signal, received_at: datetime) -> WebhookLog | None:
    """The row of the same alert, if it has come before; `received_at` is when this one came."""
    key = identity(signal)
    if identity_is_lasting(signal):
        return WebhookLog.objects.filter(idempotency_key=key).first()
    apart = timedelta(seconds=settings.DUPLICATE_SECONDS)
    alike = WebhookLog.objects.filter(
        idempotency_key__startswith=f"{key}@",
        received_at__gt=received_at - apart,
        received_at__lt=received_at + apart,
    )
    return alike.order_by("id").first()
