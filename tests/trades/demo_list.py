"""The demo's trades as TradingView lists them."""

from __future__ import annotations

import csv
from datetime import datetime
from decimal import Decimal

from tests.trades.export_files import Listed
from tradelog.session import TRADES


def demo_list() -> list[Listed]:
    """TradingView's own list, oldest exit first: one lot of ten is two rows, 7 and 3."""
    with TRADES.open(newline="") as file:
        told = sorted(csv.DictReader(file), key=lambda row: (row["exit_time"], row["entry_time"]))
    return [
        Listed(
            number,
            row["direction"],
            Decimal(row["quantity"]),
            datetime.fromisoformat(row["entry_time"]),
            Decimal(row["entry_price"]),
            datetime.fromisoformat(row["exit_time"]),
            Decimal(row["exit_price"]),
        )
        for number, row in enumerate(told, 1)
    ]
