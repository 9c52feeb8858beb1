"""How often an alert's transaction waits for PostgreSQL."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import pytest
from django.db import connection

from tests.factories import EntryFactory
from webhooks.applying import apply
from webhooks.reading import read
from webhooks.wanted import Wanted

pytestmark = pytest.mark.usefixtures("databases", "together")


def applied(action: str, number: int) -> str:
    """What an alert does, applied on this thread."""
    order = {
        "strategy": "Alpha", "symbol": "BINANCE:BTCUSDT", "action": action, "quantity": "1",
        "price": "100", "order_id": f"order {number}", "time": f"2026-01-05T15:{number:02}:00Z",
    }  # fmt: skip
    entry = EntryFactory(body=json.dumps(order).encode())
    [outcome] = apply([Wanted(entry, read(entry))])
    assert outcome is not None
    return outcome.log.action


def test_an_entry_waits_twice_and_an_exit_three_times(tmp_path: Path) -> None:
    """For what the book holds, its trades if any, and the rest with the COMMIT."""
    applied("buy", 0)  # Its strategy is made.
    applied("sell", 1)
    for number, (action, effect, trips) in enumerate(
        [("buy", "opened", 2), ("sell", "closed", 3)], start=2
    ):
        told = tmp_path / action
        with told.open("w") as file:
            connection.connection.pgconn.trace(file.fileno())
            assert applied(action, number) == effect
            connection.connection.pgconn.untrace()
        # Who speaks, in turn: F the client, B the server.
        turns = [who for who, _ in groupby(told.read_text().splitlines(), key=speaker)]
        assert turns == ["F", "B"] * trips


def speaker(line: str) -> str:
    return line.split("\t")[1]
