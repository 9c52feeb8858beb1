"""The replay of what an outage left in the log."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

from uuid_utils.compat import uuid7

from benchmarks.alerts import in_turn
from benchmarks.installation import SYMBOL, Installation
from benchmarks.measured import Dishonest
from benchmarks.meters import count_rows
from benchmarks.served import TRADELOG

_ENVELOPE = '{"token": "bench", "address": "127.0.0.1", "strategies": [], "given_key": ""}'


def replay_rate(installation: Installation, *, entries: int, books: int) -> float:
    """Entries a second of `manage.py replay_wal` with the server down, its start included.

    As on a terminal, where it writes no line for each alert.
    Raises Dishonest unless each entry has had its effect.
    """
    installation.add_strategies(books)
    _leave_unsettled(installation, entries, books)
    before = count_rows(installation, TRADELOG.database)
    begun = time.monotonic()
    installation.manage("replay_wal", LOG_LEVEL="WARNING")
    seconds = time.monotonic() - begun
    written = count_rows(installation, TRADELOG.database).since(before)
    if written.logs != entries or TRADELOG.unsettled(installation):
        raise Dishonest(f"Of {entries} entries, {written} came.")
    return entries / seconds


def _leave_unsettled(installation: Installation, entries: int, books: int) -> None:
    rows = (
        (uuid7().hex, body, _ENVELOPE, f"Strategy {number % books}\x1f{SYMBOL}")
        for number, body in enumerate(in_turn(entries, books=books))
    )
    with closing(sqlite3.connect(installation.folder / "wal.sqlite3")) as log, log:
        log.executemany(
            "INSERT INTO webhook_wal (correlation_id, body, envelope, book, status, attempts,"
            " last_error, received_at, claimed_by) VALUES (?, ?, ?, ?, 'pending', 1,"
            " 'DATABASE_UNAVAILABLE', strftime('%Y-%m-%d %H:%M:%f000', 'now'), '')",
            rows,
        )
