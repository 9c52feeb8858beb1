"""A recorded session of alerts, and the trades that must come of it."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.request import HTTPErrorProcessor, Request, build_opener

from django.conf import settings

from trades.comparison.groups import TradeGroup, taken_together
from trades.direction import Direction
from trades.models import Trade

_FOLDER = Path(settings.BASE_DIR) / "demo"
#: One alert a line: a strategy that pyramids on monthly bars of BITSTAMP:BTCUSD.
ALERTS = _FOLDER / "btcusd-session.jsonl"
#: TradingView's list of the trades it made of them.
TRADES = _FOLDER / "btcusd-trades.csv"
STRATEGY = "Monthly pyramid"

#: TradingView sends an alert three times more where the answer is a 5xx.
_RETRIES = 3


class _AnyStatus(HTTPErrorProcessor):
    """An answer of any status is one, and a redirect is not followed."""

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        return response

    https_response = http_response


class AnotherAnswers(Exception):
    """Something answers that is no tradelog; the message says what."""


def send(url: str, messages: Iterable[str]) -> Iterator[dict[str, object]]:
    """Post the messages one after the other, as TradingView does; yields each answer.

    Raises OSError where nothing answers, and AnotherAnswers.
    """
    for message in messages:
        for attempt in range(_RETRIES + 1):
            status, what, body = _post(url, message)
            if status < 500 or attempt == _RETRIES:
                break
            time.sleep(5)
        yield _read(what, body)


def _post(url: str, message: str) -> tuple[int, str, bytes]:
    """The status of the answer, in words what answered, and the answer."""
    request = Request(url, message.encode(), {"Content-Type": "application/json"})
    try:
        with build_opener(_AnyStatus).open(request, timeout=10) as response:
            told = [f"{response.status} {response.reason}", response.headers["Content-Type"]]
            if server := response.headers["Server"]:
                told.append(f"from {server}")
            return response.status, ", ".join(filter(None, told)), response.read()
    except HTTPException as error:
        raise AnotherAnswers(f"no HTTP ({error!r})") from error


def _read(what: str, body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    # What was answered is not shown: it may hold the URL, and so the token.
    if not isinstance(answer, dict) or "status" not in answer:
        raise AnotherAnswers(what)
    return answer


def expected_trades() -> list[TradeGroup]:
    """What TradingView lists, oldest first."""
    with TRADES.open(newline="") as file:
        return taken_together(
            TradeGroup(
                direction=Direction(row["direction"]),
                entry_time=_utc(row["entry_time"]),
                entry_price=Decimal(row["entry_price"]),
                exit_time=_utc(row["exit_time"]),
                exit_price=Decimal(row["exit_price"]),
                quantity=Decimal(row["quantity"]),
            )
            for row in csv.DictReader(file)
        )


def logged_trades() -> list[TradeGroup]:
    """The same from the trade log."""
    return taken_together(
        TradeGroup(
            direction=Direction(trade.direction),
            entry_time=trade.entry_time,
            entry_price=trade.entry_price,
            exit_time=trade.exit_time,
            exit_price=trade.exit_price,
            quantity=trade.quantity,
        )
        for trade in Trade.objects.filter(strategy__name=STRATEGY)
    )


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
