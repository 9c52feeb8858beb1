"""When the service had an alert, which tells what other alerts it may belong to.

A mail was received when it was sent: it has been on its way, and has waited for its webhook.
Its correlation id was given when it was taken up, and begins with that time (RFC 9562,
version 7).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

#: Entries that came by mail.
BY_MAIL: Final = Q(envelope__has_key="via_mail")

#: The bits of an id behind its milliseconds.
_REST: Final = 80


def had_at(correlation_id: UUID, received_at: datetime, *, via_mail: bool) -> datetime:
    """When the service had the alert of this id, UTC."""
    # The ids of the first mails told no time.
    if not via_mail or correlation_id.version != 7:
        return received_at
    return _EPOCH + (correlation_id.int >> _REST) * _MILLISECOND
