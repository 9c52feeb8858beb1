"""The two hashes that make the trail of alerts tamper-evident; pure.

HMAC-SHA-256 (RFC 2104) under TRAIL_KEY over a canonical text: whoever can write to the
database and has not the key can change a row, and cannot make its hashes follow.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from trades.numeric import plain

#: What came in; never changes once the row is there. `link` is over these.
CAME_IN: Final = (
    "correlation_id", "wal_id", "idempotency_key", "payload", "token_name", "source_address",
    "received_at", "strategy", "symbol", "is_test", "order_time",
)  # fmt: skip

#: Flags of what came in that are younger than the trail: hashed only where they are set, so
#: rows from before keep their hashes.
CAME_IN_LATELY: Final = ("via_mail",)

#: What became of it; changes when an exit that waited is applied, or a failed alert
#: tried again. `seal` is over these.
BECAME: Final = (
    "status", "error_code", "error_message", "error_fields", "processed_at", "direction",
    "quantity", "price", "action", "position_before", "position_after", "tradingview_before",
    "tradingview_after", "drift", "trade_id",
)  # fmt: skip

#: What the first row of a chain follows.
BEGINNING: Final = "0" * 64


def link(key: str, chain: str, place: int, previous: str, row: Mapping[str, Any]) -> str:
    """The hash that ties a row to its place in its chain and to the row before it."""
    flags = [name for name in CAME_IN_LATELY if row.get(name)]
    came_in = [row[name] for name in CAME_IN]
    return _digest(key, ["link", chain, place, previous, *came_in, *flags])


def seal(key: str, link: str, row: Mapping[str, Any]) -> str:
    """The hash over what became of a row."""
    return _digest(key, ["seal", link, *(row[name] for name in BECAME)])


def anchor(key: str, chain: str, place: int, link: str) -> str:
    """The hash that says: up to here the chain was cut off on purpose."""
    return _digest(key, ["anchor", chain, place, link])


def _digest(key: str, values: list[Any]) -> str:
    text = json.dumps([_canonical(value) for value in values], ensure_ascii=True)
    return hmac.digest(key.encode(), text.encode(), "sha256").hex()


def _canonical(value: Any) -> Any:
    """A value as text that is the same before it is stored and after it is read back."""
    if isinstance(value, str):
        return _address(value) or value
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        return f"{plain(value):f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict):
        # Nearly always empty, and for sorted keys an encoder is made each time.
        return json.dumps(value, sort_keys=True) if value else "{}"
    raise TypeError(f"A {type(value).__name__} has no canonical text.")


def _address(text: str) -> str:
    # PostgreSQL and Python write IPv6 in ways of their own.
    if len(text) > 45 or text.count(":") < 2:
        return ""  # As nearly always, and far sooner told.
    try:
        return ipaddress.ip_address(text).packed.hex()
    except ValueError:
        return ""
