"""The tables as they are, read with plain SQL and no code of the server's."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from tests.chaos.logs import Connection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `webhook_wal`."""

    #: Which of the logs it is in; its id is its own there.
    log: int
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
    """All four, each in the order of its ids; the entries of several logs one log after another."""

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

    def effective_entries(self) -> Iterator[Entry]:
        """The entries that have rows, in the order of those: in which they were applied."""
        for log in self.logs:
            if (entry := self.entry_of.get(log.correlation_id)) is not None:
                yield entry

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


def read_tables(main: psycopg.Connection[Any], logs: Sequence[Connection]) -> Tables:
    """Read the databases; nothing may be writing to them."""
    return Tables(
        [entry for number, log in enumerate(logs) for entry in _entries(number, log)],
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


def name_in(body: str | bytes) -> str:
    """The alert that a message holds; empty if it is none of ours."""
    try:
        return str(json.loads(body)["order_id"])
    except (ValueError, KeyError, TypeError):
        return ""


def _entries(number: int, log: Connection) -> list[Entry]:
    rows = log.execute(
        """SELECT id, correlation_id, status, received_at, webhook_log_id, body
             FROM webhook_wal ORDER BY id"""
    )
    return [
        Entry(
            log=number,
            id=id,
            correlation_id=uuid.UUID(str(correlation_id)),
            status=status,
            received_at=_moment(received_at),
            webhook_log_id=webhook_log_id,
            name=name_in(bytes(body) if isinstance(body, memoryview) else body),
        )
        for id, correlation_id, status, received_at, webhook_log_id, body in rows
    ]


def _moment(told: str | datetime) -> datetime:
    # Written by Django to SQLite: UTC, without saying so.
    return told if isinstance(told, datetime) else datetime.fromisoformat(told).replace(tzinfo=UTC)


def _rows(main: psycopg.Connection[Any], kind: type[T], query: str) -> list[T]:
    with main.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query).fetchall()


def _grouped(pairs: Iterable[tuple[Any, T]]) -> dict[Any, list[T]]:
    groups: dict[Any, list[T]] = defaultdict(list)
    for key, row in pairs:
        groups[key].append(row)
    return groups
