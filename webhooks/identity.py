"""What makes an alert the same alert: its idempotency key."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any
from uuid import UUID

from trades.numeric import plain
from webhooks.signal import Signal


def identity(signal: Signal) -> str:
    """The idempotency key the sender gave, or one derived from what identifies the order.

    The order's name alone does not: TradingView repeats it. So it counts together
    with its comment, book, interval, intent, side, quantity, price, both times and
    TradingView's position before and after, which tell equal orders of one bar apart. What
    merely accompanies an order (reported profit, commission, unknown fields) does not
    count, so a relay that adds to the message what it likes does not double the order.
    """
    if signal.given_key:
        # A test must not make a duplicate of the order it was a test for.
        return f"test:{signal.given_key}" if signal.is_test else signal.given_key
    identifying = [
        signal.strategy,
        signal.symbol,
        signal.intent,
        signal.direction,
        signal.quantity,
        signal.price,
        signal.time and signal.time.isoformat(),
        signal.sent_at and signal.sent_at.isoformat(),
        signal.order_id,
        signal.view_before and [signal.view_before.direction, signal.view_before.size],
        signal.view_after and [signal.view_after.direction, signal.view_after.size],
        signal.is_test,
        signal.comment,
        signal.interval,
    ]
    text = json.dumps(identifying, default=_as_text, separators=(",", ":"))
    return f"order:{hashlib.sha256(text.encode()).hexdigest()}"


def identity_in_strategy(signal: Signal) -> str:
    """What stands for its identity where an alert of another strategy has that, by a given key.

    Who may send alerts of one strategy alone must not be able to take the keys of another's, nor
    be told what an alert with such a key has done.
    """
    text = json.dumps([signal.strategy, identity(signal)])
    return f"key:{hashlib.sha256(text.encode()).hexdigest()}"


def identity_is_lasting(signal: Signal) -> bool:
    """Whether the identity holds for good.

    A message that tells no time looks the same whenever its order comes again;
    then it is the same alert only within DUPLICATE_SECONDS.
    """
    return bool(signal.given_key) or signal.time is not None


def identity_of_entry(correlation_id: UUID) -> str:
    """The key of an entry that was not understood, or not allowed: it stands for no order."""
    return f"entry:{correlation_id}"


def _as_text(value: Any) -> str:
    # 1, 1.0 and "1" are one quantity.
    if isinstance(value, Decimal):
        return str(plain(value))
    raise TypeError(f"{type(value).__name__} does not identify an order.")
