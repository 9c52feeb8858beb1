"""The write-ahead log on a PostgreSQL (WAL_DATABASE_URL), under a real server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from positions.models import Lot
from tests.commands import in_process
from tests.factories import StrategyFactory
from tests.server import NOWHERE, ROOT, Server, databases_of_this_run
from tests.wal.elsewhere import Log
from tests.webhooks.test_laws import empty_tables
from trades.models import Trade


@pytest.fixture
def log(databases: None) -> Iterator[Log]:
    with closing(Log()) as log:
        yield log


def replay(log: Log, *options: str) -> subprocess.CompletedProcess[str]:
    return in_process("replay_wal", *options, WAL_DATABASE_URL=log.url)


def test_alerts_go_through_it_to_their_trades(log: Log) -> None:
    with Server(WAL_DATABASE_URL=log.url, ANSWER_SECONDS="20") as server:
        first = server.post()
        assert (first.http, first["wal_id"]) == (200, 1)
        with ThreadPoolExecutor(24) as clients:
            answers = list(
                clients.map(
                    lambda minute: server.post(time=f"2026-01-05T15:{minute:02}:00Z"), range(24)
                )
            )
        assert {answer.http for answer in answers} == {200}
        assert server.post().http == 200
        closed = server.post(action="exit", quantity=None, price="110", time="2026-01-05T16:00:00Z")
        assert len(closed["trade_ids"]) == 25
    # The marks of settled entries come after the answers, if only by a moment.
    assert log.statuses() == ["completed"] * 25 + ["duplicate", "completed"]
    assert Trade.objects.count() == 25


def test_what_waits_in_it_is_replayed(log: Log) -> None:
    with Server(WAL_DATABASE_URL=log.url, DATABASE_URL=NOWHERE) as server:
        assert server.post().code == "DATABASE_UNAVAILABLE"
        assert server.post(action="exit", price="110", time="2026-01-05T16:00:00Z").http == 202
    assert log.statuses() == ["pending", "pending"]

    assert replay(log).returncode == 0
    assert log.statuses() == ["completed", "completed"]
    assert Lot.objects.get().status == "closed"


def test_what_it_has_settled_since_a_backup_is_applied_again(log: Log) -> None:
    StrategyFactory(name="Off", enabled=False)
    with Server(WAL_DATABASE_URL=log.url) as server:
        server.post()
        server.post(strategy="Off")
        server.post(action="exit", price="110", time="2026-01-05T16:00:00Z")
    empty_tables()
    assert "3 entries were set back." in replay(log, "--restored").stdout
    assert log.statuses() == ["completed", "failed", "completed"]
    assert Lot.objects.get().status == "closed"


def test_a_dead_process_holds_its_claim_no_longer_than_its_lease(log: Log) -> None:
    with Server(WAL_DATABASE_URL=log.url) as server:
        server.post()
    log.execute(
        "UPDATE webhook_wal SET status = 'processing', claimed_by = 'gone', settled_at = NULL,"
        " claimed_until = now() + interval '1 second'"
    )
    assert replay(log).returncode == 0
    assert log.statuses() == ["completed"]
    assert Lot.objects.count() == 1


def test_without_it_nothing_is_accepted(log: Log) -> None:
    with Server(WAL_DATABASE_URL=log.url) as server:
        server.post()
        log.allow_connections(False)
        refused = server.post(symbol="OTHER")
        assert (refused.http, refused.code) == (503, "WAL_UNAVAILABLE")
        log.allow_connections(True)
        deadline = time.monotonic() + 4  # TradingView sends it again after five.
        while server.post(symbol="OTHER").http != 200:
            assert time.monotonic() < deadline, server.output


def test_a_log_out_of_reach_is_told_at_the_start(databases: None) -> None:
    started = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env={**os.environ, **databases_of_this_run(), "WAL_DATABASE_URL": NOWHERE, "PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert started.returncode == 1
    assert "WAL_DATABASE_URL" in started.stderr
    assert "Traceback" not in started.stderr
