"""Several hosts, each with a folder of its own, on one database."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from positions.models import Lot
from tests.commands import in_process
from tests.installation import Elsewhere, done
from tests.server import NOWHERE, Server
from tests.webhooks.test_laws import empty_tables
from trades.models import Trade
from webhooks.models import WebhookLog

CLOSING: dict[str, Any] = {
    "action": "exit",
    "quantity": None,
    "price": "110",
    "time": "2026-01-05T15:00:00Z",
}


@pytest.fixture
def main(databases: None) -> Iterator[Elsewhere]:
    """A main database that nobody has migrated."""
    with Elsewhere("main_of_several_hosts") as main:
        yield main


@pytest.mark.parametrize("shares_log", [False, True])
def test_hosts_that_start_at_once_all_come_up(
    main: Elsewhere, tmp_path: Path, shares_log: bool
) -> None:
    with ExitStack() as stack, ThreadPoolExecutor() as starting:
        log = stack.enter_context(Elsewhere("log_of_several_hosts")).url if shares_log else ""
        servers = [
            Server(
                DATABASE_URL=main.url,
                WAL_DATABASE_URL=log,
                TRADELOG_DATA=str(tmp_path / f"host-{number}"),
                ANSWER_SECONDS="20",
            )
            for number in range(2)
        ]
        for server in [starting.submit(stack.enter_context, server) for server in servers]:
            server.result()
        assert [server.post(symbol=f"S{server.port}").http for server in servers] == [200, 200]


@pytest.fixture
def hosts(databases: None, tmp_path: Path) -> Iterator[list[Server]]:
    """Two, each with a log of its own, on this test run's main database."""
    with ExitStack() as stack:
        two = [Server(**_own(tmp_path / name), ANSWER_SECONDS="20") for name in ("one", "two")]
        yield [stack.enter_context(server) for server in two]


def _own(folder: Path) -> dict[str, str]:
    return {"TRADELOG_DATA": str(folder), "WAL_DATABASE_URL": ""}


def test_what_is_sent_again_to_another_host_is_the_same_alert(hosts: list[Server]) -> None:
    one, two = hosts
    first, again = one.post(), two.post()
    assert (first.http, again.http, again.code) == (200, 200, "DUPLICATE")
    assert again["webhook_log_id"] == first["webhook_log_id"]
    closed, again = two.post(**CLOSING), one.post(**CLOSING)
    assert again["trade_ids"] == closed["trade_ids"] == [Trade.objects.get().pk]


def test_an_exit_and_its_entry_find_each_other_across_hosts(
    hosts: list[Server], tmp_path: Path
) -> None:
    """The host that took the exit learns of it when the exit's time is over; that is no finding."""
    one, two = hosts
    assert one.post(**CLOSING)["status"] == "parked"
    assert two.post()["status"] == "processed"
    assert Lot.objects.get().status == "closed"
    # As if all that had been a while ago.
    WebhookLog.objects.update(processed_at=timezone.now() - timedelta(seconds=30))
    for name in ("one", "two"):
        done(in_process("reconcile_positions", **_own(tmp_path / name)))


def test_after_an_outage_an_exit_waits_for_what_the_other_host_has_to_drain(
    databases: None, tmp_path: Path
) -> None:
    """PostgreSQL was away for longer than PARK_SECONDS; the exit's host is back at it first."""
    for name, fields in {"one": {}, "two": CLOSING}.items():
        with Server(**_own(tmp_path / name), DATABASE_URL=NOWHERE) as server:
            assert server.post(**fields).http == 202
            server.kill()
        with closing(sqlite3.connect(tmp_path / name / "wal.sqlite3")) as log, log:
            log.execute("UPDATE webhook_wal SET received_at = datetime('now', '-5 minutes')")
    for name in ("two", "one"):
        done(in_process("replay_wal", **_own(tmp_path / name)))
    assert Lot.objects.get().status == "closed"


@pytest.mark.parametrize("setting", ["TRADELOG_DATA", "WAL_DATABASE_URL"])
def test_the_log_of_a_lost_host_is_replayed_by_another_one(
    databases: None, tmp_path: Path, setting: str
) -> None:
    lost = tmp_path / "lost"
    with Server(**_own(lost), DATABASE_URL=NOWHERE) as server:
        assert server.post().code == "DATABASE_UNAVAILABLE"
        assert server.post(symbol="OTHER").http == 202
        server.kill()
    named = {
        "TRADELOG_DATA": {"TRADELOG_DATA": str(lost), "WAL_DATABASE_URL": ""},
        "WAL_DATABASE_URL": {"WAL_DATABASE_URL": f"sqlite:///{lost / 'wal.sqlite3'}"},
    }[setting]
    assert done(in_process("replay_wal", **named)) == "2 alerts settled.\n"
    assert sorted(Lot.objects.values_list("symbol", flat=True)) == ["BINANCE:BTCUSDT", "OTHER"]
    done(in_process("reconcile_positions", **named))
    # The one that was lost comes back, and has nothing left to do.
    with Server(**_own(lost)) as server:
        assert server.post().code == "DUPLICATE"
    assert Lot.objects.count() == 2


def test_a_replay_tells_of_exits_that_still_wait(databases: None, tmp_path: Path) -> None:
    """Who replays the log of a lost host has to come again for them."""
    lost = tmp_path / "lost"
    with Server(**_own(lost), DATABASE_URL=NOWHERE) as server:
        assert server.post(action="exit", quantity=None).http == 202
        server.kill()
    told = done(in_process("replay_wal", **_own(lost)))
    assert "1 exit waits for its entry" in told
    ended = in_process("replay_wal", **_own(lost), PARK_SECONDS="0")
    assert (ended.returncode, "NO_OPEN_POSITION" in ended.stdout) == (1, True)
    assert "waits" not in ended.stdout


def test_what_came_to_each_host_after_the_backup_is_applied_again(
    databases: None, tmp_path: Path
) -> None:
    """One host has put the main database back; the others know what its backup has not."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder, symbol in zip(folders, ("BTC", "ETH"), strict=True):
        with Server(**_own(folder)) as server:
            server.post(symbol=symbol)
            server.post(symbol=symbol, **CLOSING)
            refused = in_process("replay_wal", "--restored", **_own(folder))
            assert (refused.returncode, "Stop it first" in refused.stderr) == (1, True)
    empty_tables()
    told = done(in_process("replay_wal", "--restored", "--dry-run", **_own(folders[0])))
    assert told == "2 entries would be set back.\n0 entries would be replayed.\n"
    for folder in folders:
        told = done(in_process("replay_wal", "--restored", **_own(folder)))
        assert told == "2 entries were set back.\n2 alerts settled.\n"
    assert sorted(Trade.objects.values_list("symbol", flat=True)) == ["BTC", "ETH"]
    for folder in folders:
        done(in_process("reconcile_positions", **_own(folder)))
        done(in_process("audit_trades", "--verify-chain", **_own(folder)))


def test_each_host_prunes_its_log_before_one_prunes_the_alerts(
    hosts: list[Server], tmp_path: Path
) -> None:
    one, two = [_own(tmp_path / name) for name in ("one", "two")]
    assert {host.post(action="nonsense").http for host in hosts} == {400}
    WebhookLog.objects.update(received_at=timezone.now() - timedelta(days=100))
    for name in ("one", "two"):
        with closing(sqlite3.connect(tmp_path / name / "wal.sqlite3")) as log, log:
            log.execute("UPDATE webhook_wal SET received_at = datetime('now', '-100 days')")
    for host in (one, two):
        told = done(in_process("prune", "--log-only", **host))
        assert "1 log entry, 0 rejected alerts" in told
        done(in_process("reconcile_positions", **host))
    assert "0 log entries, 2 rejected alerts" in done(in_process("prune", **one))
    done(in_process("reconcile_positions", **two))


def test_an_exit_given_up_before_its_entry_was_replayed_can_be_tried_again(
    databases: None, tmp_path: Path
) -> None:
    """What is lost with a host's log for a while is its order, and that is mended."""
    with Server(**_own(tmp_path / "lost"), DATABASE_URL=NOWHERE) as server:
        assert server.post().http == 202
        server.kill()
    with Server(**_own(tmp_path / "one"), PARK_SECONDS="1") as one:
        assert one.post(**CLOSING)["status"] == "parked"
        deadline = time.monotonic() + 20
        while WebhookLog.objects.get().status != "failed":
            assert time.monotonic() < deadline, one.output
            time.sleep(0.05)
        lost, survivor = [_own(tmp_path / name) for name in ("lost", "one")]
        done(in_process("replay_wal", **lost))
        assert Lot.objects.get().status == "open"
        done(in_process("replay_wal", "--failed", **survivor))
    assert Lot.objects.get().status == "closed"
    for host in (lost, survivor):
        done(in_process("reconcile_positions", **host))
        done(in_process("audit_trades", "--verify-chain", **host))
