"""Years of history in minutes: alerts, lots, trades and settled log entries.

    .venv/bin/python -m benchmarks.history FOLDER --alerts 5000000 --trades 1000000
    TRADELOG_DATA=FOLDER make serve

PostgreSQL and SQLite make the rows themselves. They keep all constraints, and lots, trades
and alerts refer to each other as they should; but the trail's hashes are filler, so its
verification finds every one of them wrong. For measuring, never for a folder in use.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from tqdm import tqdm

from benchmarks import history_rows
from benchmarks.installation import SYMBOL, Installation

#: Trades made by one statement; each is committed.
_TOGETHER = 20_000

_TABLES = ("webhook_logs", "open_positions", "trades")


@dataclass(frozen=True, slots=True)
class History:
    """What is made: `alerts` over `books`, evenly over the `days` until now.

    Each trade has its entry and its exit; alerts beyond those two have no effect: of 50 one
    is rejected, one has failed, and the others are tests.
    """

    alerts: int
    trades: int
    books: int = 256
    days: int = 730
    #: Lots that are left open in each book, each entered by one more alert.
    open_lots: int = 0

    @property
    def alerts_per_trade(self) -> int:
        return self.alerts // self.trades if self.trades else 0

    def __post_init__(self) -> None:
        if self.trades and self.alerts_per_trade < 2:
            raise ValueError("A trade takes two alerts.")


def add_history(installation: Installation, history: History, *, show: bool = False) -> None:
    """Fill both databases. Raises ValueError where there are alerts already."""
    until = datetime.now(UTC)
    installation.add_strategies(history.books)
    with installation.connect() as connection:
        row = connection.execute("SELECT EXISTS (SELECT FROM webhook_logs)").fetchone()
        if row and row[0]:
            raise ValueError("There are alerts already; history goes into an empty database.")
        # They are enforced row by row else; what is made here refers as it should.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        with _without_indexes(connection):
            steps = range(0, history.trades, _TOGETHER)
            for first in tqdm(steps, unit_scale=_TOGETHER, unit=" trades", disable=not show):
                last = min(first + _TOGETHER, history.trades)
                _add_trades(connection, history, first=first, last=last, until=until)
            _add_open_lots(connection, history)
        for table in _TABLES:
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), "
                f"(SELECT coalesce(max(id), 0) + 1 FROM {table}), false)"
            )
            connection.execute(f"VACUUM ANALYZE {table}")
        connection.execute("ANALYZE strategies")
    _add_log(installation, history)


def _add_trades(
    connection: psycopg.Connection[Any],
    history: History,
    *,
    first: int,
    last: int,
    until: datetime,
) -> None:
    values = {
        "symbol": SYMBOL,
        "per": history.alerts_per_trade,
        "books": history.books,
        "all": history.trades * history.alerts_per_trade,
        "days": history.days,
        "until": until,
        "first": first,
        "last": last,
    }
    with connection.transaction():
        for statement in (history_rows.ALERTS_OF_TRADES, history_rows.TRADES, history_rows.LOTS):
            connection.execute(statement, values)


def _add_open_lots(connection: psycopg.Connection[Any], history: History) -> None:
    values = {
        "symbol": SYMBOL,
        "books": history.books,
        "open_lots": history.open_lots,
        "base": history.trades * history.alerts_per_trade,
    }
    with connection.transaction():
        # As many as are made above, and with the ids above.
        connection.execute(
            "SELECT setval(pg_get_serial_sequence('open_positions', 'id'), %s, false)",
            [history.trades + 1],
        )
        for statement in (history_rows.ALERTS_OF_OPEN_LOTS, history_rows.OPEN_LOTS):
            connection.execute(statement, values)


@contextmanager
def _without_indexes(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Make plain indexes anew afterwards: that is much faster than keeping them current."""
    # Not those of constraints, which are needed to find rows meanwhile.
    found = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes "
        "WHERE tablename = ANY(%s) AND indexdef NOT LIKE 'CREATE UNIQUE%%'",
        [list(_TABLES)],
    ).fetchall()
    for name, _ in found:
        connection.execute(f'DROP INDEX "{name}"')
    try:
        yield
    finally:
        connection.execute("SET maintenance_work_mem = '512MB'")
        for _, definition in found:
            connection.execute(definition)


def _add_log(installation: Installation, history: History) -> None:
    """The alerts' entries in the log, all settled."""
    made = history.trades * history.alerts_per_trade
    with closing(sqlite3.connect(installation.folder / "wal.sqlite3")) as log:
        # Whoever dies meanwhile makes the folder anew; it is to be quick.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            log.execute(f"PRAGMA {pragma}")
        with log:
            log.execute(
                history_rows.ENTRIES,
                {
                    "count": made + history.books * history.open_lots,
                    "all": max(1, made),
                    "per": max(1, history.alerts_per_trade),
                    "books": history.books,
                    "days": history.days,
                    "symbol": SYMBOL,
                },
            )
        log.execute("PRAGMA journal_mode = WAL")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__)
    parser.add_argument("folder", type=Path, help="a data folder, made if there is none")
    parser.add_argument("--alerts", type=int, default=5_000_000)
    parser.add_argument("--trades", type=int, default=1_000_000)
    parser.add_argument("--books", type=int, default=256)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--open-lots", type=int, default=0, help="in each book")
    options = parser.parse_args()
    begun = time.monotonic()
    try:
        history = History(
            options.alerts, options.trades, options.books, options.days, options.open_lots
        )
        installation = Installation(options.folder.resolve())
        add_history(installation, history, show=sys.stderr.isatty())
    except ValueError as error:
        sys.exit(str(error))
    alerts = history.trades * history.alerts_per_trade + history.books * history.open_lots
    print(f"{alerts:,} alerts, {history.trades:,} trades in {time.monotonic() - begun:.0f} s.")


if __name__ == "__main__":
    main()
