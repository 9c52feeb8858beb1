"""Trades of an export, as their alerts bring them here."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.alerts import Poster
from tests.trades.export_files import Form, Listed, as_csv, rows
from trades.exports.exported import Export
from trades.exports.reader import read_export
from webhooks.export_comparison import Choice, Comparison, compare

local = datetime.fromisoformat


def export_of(*trades: Listed, form: Form | None = None) -> Export:
    return read_export(as_csv(rows(trades, form or Form())), "list.csv")


def listed(number: int, entered: str, left: str, **changes: Any) -> Listed:
    """A long trade of one contract on one day, from 100 to 110."""
    told = {
        "direction": "long",
        "quantity": Decimal(1),
        "entry_price": Decimal(100),
        "exit_price": Decimal(110),
        "pnl": Decimal(10),
        **changes,
    }
    day = "2026-01-05"
    return Listed(
        number, entry_time=local(f"{day} {entered}"), exit_time=local(f"{day} {left}"), **told
    )


FIRST = listed(1, "09:00", "10:00")
SECOND = listed(2, "14:30", "15:00", entry_price=Decimal("123.5"))


def post_entry(post: Poster, trade: Listed = SECOND, **changes: Any) -> Any:
    told = {
        "price": str(trade.entry_price),
        "quantity": str(trade.quantity),
        "time": trade.entry_time.replace(tzinfo=UTC).isoformat(),
        "action": "buy" if trade.direction == "long" else "sell",
        **changes,
    }
    return post(**told)


def post_exit(post: Poster, trade: Listed = SECOND, **changes: Any) -> Any:
    told = {
        "price": str(trade.exit_price),
        "quantity": str(trade.quantity),
        "time": trade.exit_time.replace(tzinfo=UTC).isoformat(),
        "action": "sell" if trade.direction == "long" else "buy",
        **changes,
    }
    return post(**told)


def post_trade(post: Poster, trade: Listed, **changes: Any) -> None:
    assert post_entry(post, trade, **changes)["status"] == "processed"
    assert post_exit(post, trade, **changes)["status"] == "processed"


def both(**choice: Any) -> Comparison:
    return compare(export_of(FIRST, SECOND), Choice(**choice))
