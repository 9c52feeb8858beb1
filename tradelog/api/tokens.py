"""The API's tokens: a person's, shown once, and known by their hash afterwards."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from django.utils import timezone

from tradelog.models import ApiToken

#: Random bytes of a token.
_BYTES: Final = 32


def issue(row: ApiToken) -> str:
    """Save a new row under the hash of a fresh token; the token, which cannot be had again."""
    text = secrets.token_urlsafe(_BYTES)
    row.digest = _digest(text)
    row.save(force_insert=True)
    return text


def expiry(days: int | None) -> datetime | None:
    """When a token that holds so many days from now on ends; None: never."""
    return None if days is None else timezone.now() + timedelta(days=days)


def find(text: str) -> ApiToken | None:
    """The row of a token that still holds, with its user; None if there is none."""
    row = ApiToken.objects.select_related("user").filter(digest=_digest(text)).first()
    if row is None or (row.expires_at is not None and row.expires_at <= timezone.now()):
        return None
    return row


def _digest(text: str) -> str:
    # Neither salted nor slow: there is nothing to guess in 32 random bytes.
    return sha256(text.encode()).hexdigest()
