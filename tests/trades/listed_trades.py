"""Three trades that files of every form hold, and what is read of a file."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.trades.export_files import Listed
from trades.exports.reader import read_export

local = datetime.fromisoformat

TRADES = [
    Listed(
        1, "long", Decimal("0.5"), local("2025-03-04 14:30"), Decimal("67432.5"),
        local("2025-03-20 09:00"), Decimal("68000"), Decimal("283.75"),
    ),
    Listed(
        2, "short", Decimal("1250"), local("2025-04-05 08:15"), Decimal("1.08453"),
        local("2025-04-06 22:45"), Decimal("1.0901"), Decimal("-6.96"),
    ),
    Listed(
        3, "long", Decimal("2"), local("2025-12-01"), Decimal("101.25"),
        local("2025-12-02"), Decimal("102"), is_open=True,
    ),
]  # fmt: skip


def told(content: bytes) -> list[tuple[Any, ...]]:
    """What a file's trades are, to compare."""
    return [
        (
            trade.number, trade.direction.value, trade.quantity, trade.entry_time,
            trade.entry_price, trade.exit_time, trade.exit_price, trade.pnl,
        )
        for trade in read_export(content).trades
    ]  # fmt: skip
