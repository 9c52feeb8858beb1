"""The load's alerts, as alerts.lua writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from benchmarks.installation import SYMBOL

_BEGINNING = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)


def alert_body(number: int, *, book: int, side: str) -> bytes:
    """An order of one contract; its number makes it another one than all others."""
    return json.dumps(
        {
            "strategy": f"Strategy {book}",
            "ticker": SYMBOL,
            "action": side,
            "contracts": "1",
            "price": f"{100 + number % 97}.25",
            "time": str(_BEGINNING + number),
            "order_id": side,
            "interval": "5",
            "comment": "crossover of two averages",
        },
        separators=(",", ":"),
    ).encode()


def in_turn(count: int, *, books: int, first: int = 0) -> list[bytes]:
    """Alerts for one book after the other, buy and sell in turn on each."""
    sides = ("buy", "sell")
    return [alert_body(first + n, book=n % books, side=sides[n // books % 2]) for n in range(count)]
