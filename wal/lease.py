"""How long a claim on an entry holds, and when nobody holds it any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connections
from django.utils import timezone

from wal.writer import ALIAS

#: A claim's end has come; or it is further away than any claim's can be, since the clock was put
#: back after it was made. Its parameters are `expiry`.
EXPIRED: Final = "(claimed_until < %s OR claimed_until > %s)"

#: What an unsettled entry is that nobody alive holds; with the same parameters.
FREE: Final = f"(status = 'pending' OR {EXPIRED})"


def end() -> datetime:
    """When a claim ends that is made now."""
    return timezone.now() + _length()


def expiry() -> list[Any]:
    """Before what, and after what, the end of a claim says that it has expired by now."""
    now = timezone.now()
    # Twice as long, since another host's clock may be some way ahead.
    bounds = now, now + 2 * _length()
    return list(map(connections[ALIAS].ops.adapt_datetimefield_value, bounds))


def _length() -> timedelta:
    return timedelta(seconds=settings.LEASE_SECONDS)
