"""The tables as they are, read with plain SQL and no code of the server's."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `webhook_wal`."""

    id: int
    correlation_id: uuid.UUID
    status: str
    received_at: datetime
    webhook_log_id: int | None
    #: The alert it holds.
    name: str


@dataclass(frozen=True, slots=True)
class Log:
    """A row of `webhook_logs`."""

    id: int
    correlation_id: uuid.UUID
    wal_id: int
    status: str
    error_code: str
    strategy: str
    symbol: str
    trade_id: int | None
    payload: str

    @property
    def name(self) -> str:
        """The alert it tells of."""
        return name_in(self.payload)


@dataclass(frozen=True, slots=True)
class Lot:
    """A row of `open_positions`."""

    id: int
    strategy: str
    symbol: str
    direction: str
    quantity: Decimal
    entry_price: Decimal
    entry_commission: Decimal
    status: str
    entry_webhook_log_id: int
    exit_webhook_log_id: int | None
    trade_id: int | None


@dataclass(frozen=True, slots=True)
class Trade:
    """A row of `trades`."""

    id: int
    strategy: str
    symbol: str
    direction: str
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    commission: Decimal
    pnl: Decimal


@dataclass(frozen=True)
class Tables:
    """All four, each in the order of its ids."""

    entries: list[Entry]
    logs: list[Log]
    lots: list[Lot]
    trades: list[Trade]

    @cached_property
    def entry_of(self) -> dict[uuid.UUID, Entry]:
        return {entry.correlation_id: entry for entry in self.entries}

    @cached_property
    def log_of(self) -> dict[uuid.UUID, Log]:
        return {log.correlation_id: log for log in self.logs}

    @cached_property
    def log_by_id(self) -> dict[int, Log]:
        return {log.id: log for log in self.logs}

    @cached_property
    def trade_by_id(self) -> dict[int, Trade]:
        return {trade.id: trade for trade in self.trades}

    @cached_property
    def logs_named(self) -> dict[str, list[Log]]:
        return _grouped((log.name, log) for log in self.logs)

    @cached_property
    def entries_named(self) -> dict[str, list[Entry]]:
        return _grouped((entry.name, entry) for entry in self.entries)

    @cached_property
    def lots_entered(self) -> dict[int, list[Lot]]:
        return _grouped((lot.entry_webhook_log_id, lot) for lot in self.lots)

    @cached_property
    def lots_exited(self) -> dict[int, list[Lot]]:
        return _grouped(
            (lot.exit_webhook_log_id, lot)
            for lot in self.lots
            if lot.exit_webhook_log_id is not None
        )


def read_tables(main: psycopg.Connection[Any], log: sqlite3.Connection) -> Tables:
    """Read both databases; nothing may be writing to them."""
    return Tables(
        _entries(log),
        _rows(
            main,
            Log,
            """SELECT id, correlation_id, wal_id, status, error_code, strategy, symbol,
                      trade_id, payload FROM webhook_logs ORDER BY id""",
        ),
        _rows(
            main,
            Lot,
            """SELECT o.id, s.name AS strategy, o.symbol, o.direction, o.quantity, o.entry_price,
                      o.entry_commission, o.status, o.entry_webhook_log_id,
                      o.exit_webhook_log_id, o.trade_id
                 FROM open_positions o LEFT JOIN strategies s ON s.id = o.strategy_id
                ORDER BY o.id""",
        ),
        _rows(
            main,
            Trade,
            """SELECT t.id, s.name AS strategy, t.symbol, t.direction, t.quantity, t.entry_price,
                      t.exit_price, t.commission, t.pnl
                 FROM trades t LEFT JOIN strategies s ON s.id = t.strategy_id
                ORDER BY t.id""",
        ),
    )


def unsettled(log: sqlite3.Connection) -> int:
    """How many entries of the log still wait for something."""
    waiting = "SELECT count(*) FROM webhook_wal WHERE status IN ('pending','processing','parked')"
    return int(log.execute(waiting).fetchone()[0])


def name_in(body: str | bytes) -> str:
    """The alert that a message holds; empty if it is none of ours."""
    try:
        return str(json.loads(body)["order_id"])
    except (ValueError, KeyError, TypeError):
        return ""


def _entries(log: sqlite3.Connection) -> list[Entry]:
    rows = log.execute(
        """SELECT id, correlation_id, status, received_at, webhook_log_id, body
             FROM webhook_wal ORDER BY id"""
    )
    return [
        Entry(
            id=id,
            correlation_id=uuid.UUID(correlation_id),
            status=status,
            # Written by Django: UTC, without saying so.
            received_at=datetime.fromisoformat(received_at).replace(tzinfo=UTC),
            webhook_log_id=webhook_log_id,
            name=name_in(body),
        )
        for id, correlation_id, status, received_at, webhook_log_id, body in rows
    ]


def _rows(main: psycopg.Connection[Any], kind: type[T], query: str) -> list[T]:
    with main.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query).fetchall()


def _grouped(pairs: Iterable[tuple[Any, T]]) -> dict[Any, list[T]]:
    groups: dict[Any, list[T]] = defaultdict(list)
    for key, row in pairs:
        groups[key].append(row)
    return groups
