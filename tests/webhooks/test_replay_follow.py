"""`manage.py replay_wal --follow`, as a service manager and a terminal stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import StringIO

import psycopg
import pytest
from django.core.management import call_command

from positions.models import Lot
from tests.alerts import alert
from tests.factories import EntryFactory
from tests.processes import eventually
from tests.server import ROOT, databases_of_this_run
from tests.webhooks.test_reconcile import ago, log
from wal import journal
from wal.models import Entry

Following = subprocess.Popen[bytes]


def has_come(entry: Entry, status: str) -> bool:
    return Entry.objects.filter(pk=entry.pk, status=status).exists()


@pytest.fixture
def following(databases: None) -> Iterator[Following]:
    """A process that follows the log, and has begun to."""
    first = log(alert(symbol="FIRST"), received_at=ago(seconds=1))
    with subprocess.Popen(
        [sys.executable, "manage.py", "replay_wal", "--follow"],
        cwd=ROOT,
        # It may take its time over a transaction.
        env={**os.environ, **databases_of_this_run(), "ANSWER_SECONDS": "40"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            eventually(lambda: has_come(first, "completed"))
            yield process
        finally:
            process.kill()


@pytest.fixture
def held_up(following: Following) -> Iterator[psycopg.Connection]:
    """Holds up the transaction in hand of the process that follows, until it is closed."""
    with psycopg.connect(databases_of_this_run()["DATABASE_URL"]) as holding:
        holding.execute("LOCK TABLE webhook_logs IN ACCESS EXCLUSIVE MODE")
        in_hand = log(alert(symbol="IN HAND"), received_at=ago(seconds=1))
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted"
        eventually(lambda: holding.execute(waiting).fetchone())
        assert has_come(in_hand, "processing")
        yield holding


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_what_is_in_hand(
    following: Following, held_up: psycopg.Connection, told: signal.Signals
) -> None:
    following.send_signal(told)
    held_up.close()
    assert following.wait(60) == 0
    assert set(Entry.objects.values_list("status", flat=True)) == {"completed"}
    assert set(Lot.objects.values_list("symbol", flat=True)) == {"FIRST", "IN HAND"}


def test_told_twice_it_ends_at_once(following: Following, held_up: psycopg.Connection) -> None:
    following.send_signal(signal.SIGINT)
    assert following.stderr is not None
    assert any(b"Stopping after what is in hand" in line for line in following.stderr)

    def has_ended() -> bool:
        # More than once: one that comes while the first is still being noted wakes nobody.
        following.terminate()
        return following.poll() is not None

    eventually(has_ended)
    assert following.returncode in (128 + signal.SIGTERM, -signal.SIGTERM)
    assert Entry.objects.filter(status="processing").exists()


def test_told_to_stop_it_gives_back_what_it_holds(
    databases: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its settler is not used again.
    monkeypatch.setattr("webhooks.settler._settler", None)
    ours = EntryFactory(status="processing", claimed_by=journal.owner())
    first = log(alert(), received_at=ago(seconds=1))

    def stop() -> None:
        eventually(lambda: has_come(first, "completed"))
        os.kill(os.getpid(), signal.SIGTERM)

    stopping = threading.Thread(target=stop)
    stopping.start()
    call_command("replay_wal", "--follow", stdout=StringIO())
    stopping.join()
    ours.refresh_from_db()
    assert (ours.status, ours.claimed_by) == ("pending", "")
