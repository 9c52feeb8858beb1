"""A recorded session of alerts, and the trades that must come of it."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from django.conf import settings

from trades.models import Trade

_FOLDER = Path(settings.BASE_DIR) / "demo"
#: One alert a line: a strategy that pyramids on monthly bars of BITSTAMP:BTCUSD.
ALERTS = _FOLDER / "btcusd-session.jsonl"
#: TradingView's list of the trades it made of them.
TRADES = _FOLDER / "btcusd-trades.csv"
STRATEGY = "Monthly pyramid"

#: TradingView sends an alert three times more where the answer is a 5xx.
_RETRIES = 3


@dataclass(frozen=True, slots=True, order=True)
class ClosedTrade:
    """A trade as a list of trades shows it."""

    entry_time: datetime
    exit_time: datetime
    direction: str
    entry_price: Decimal
    exit_price: Decimal
    quantity: Decimal


def send(url: str, messages: Iterable[str]) -> Iterator[dict[str, object]]:
    """Post the messages one after the other, as TradingView does; yields each answer.

    Raises OSError where nothing answers.
    """
    for message in messages:
        for attempt in range(_RETRIES + 1):
            status, answer = _post(url, message)
            if status < 500 or attempt == _RETRIES:
                break
            time.sleep(5)
        yield answer


def _post(url: str, message: str) -> tuple[int, dict[str, object]]:
    request = Request(url, message.encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        return error.code, json.load(error)


def expected_trades() -> list[ClosedTrade]:
    """What TradingView lists, trades that share entry and exit taken together.

    It closes a lot of ten by two orders of one bar and lists a trade for each; one
    alert tells both, and makes one trade of the lot.
    """
    with TRADES.open(newline="") as file:
        listed = [
            ClosedTrade(
                entry_time=_utc(row["entry_time"]),
                exit_time=_utc(row["exit_time"]),
                direction=row["direction"],
                entry_price=Decimal(row["entry_price"]),
                exit_price=Decimal(row["exit_price"]),
                quantity=Decimal(row["quantity"]),
            )
            for row in csv.DictReader(file)
        ]
    return taken_together(listed)


def logged_trades() -> list[ClosedTrade]:
    """The same from the trade log."""
    return taken_together(
        ClosedTrade(
            entry_time=trade.entry_time,
            exit_time=trade.exit_time,
            direction=trade.direction,
            entry_price=trade.entry_price,
            exit_price=trade.exit_price,
            quantity=trade.quantity,
        )
        for trade in Trade.objects.filter(strategy__name=STRATEGY)
    )


def taken_together(trades: Iterable[ClosedTrade]) -> list[ClosedTrade]:
    """Trades with the same entry and exit as one, oldest first."""
    quantities: dict[tuple[datetime, datetime, str, Decimal, Decimal], Decimal] = {}
    for trade in trades:
        key = (
            trade.entry_time,
            trade.exit_time,
            trade.direction,
            trade.entry_price,
            trade.exit_price,
        )
        quantities[key] = quantities.get(key, Decimal(0)) + trade.quantity
    return sorted(ClosedTrade(*key, quantity) for key, quantity in quantities.items())


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
