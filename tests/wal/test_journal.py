"""The log's promises: durable, fair, claimed by one process at a time."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import IntegrityError, connections
from django.utils import timezone

from faults import LogUnavailable
from tests.factories import EntryFactory
from tests.server import ROOT, databases_of_this_run
from tests.wal.appending import append, append_soon, completed
from wal import journal
from wal.models import Entry
from wal.turn import Turnstile
from wal.writer import Writer, writer

pytestmark = pytest.mark.usefixtures("databases")


def log_file() -> Path:
    return Path(str(connections["wal"].settings_dict["NAME"]))


def test_an_appended_entry_is_claimed_by_this_process() -> None:
    entry = append(b"\x00\xff{")
    stored = Entry.objects.get(pk=entry.pk)
    assert bytes(stored.body) == b"\x00\xff{"
    assert (stored.status, stored.claimed_by, stored.attempts) == ("processing", journal.owner(), 1)
    assert stored.claimed_until and stored.claimed_until > timezone.now()


def test_an_append_waits_for_the_disk_and_a_mark_does_not() -> None:
    """SQLite syncs at commit under FULL (2), and leaves it to the next one under NORMAL (1)."""
    entry = append()
    assert _synchronous(beside=lambda: None) == 1
    assert _synchronous(beside=append_soon) == 2
    assert _synchronous(beside=lambda: journal.settle([completed(entry, 1)])) == 1


def _synchronous(*, beside: Callable[[], object]) -> int:
    """What the batch is committed under that holds this write."""
    started, go_on = Event(), Event()

    def hold() -> None:
        started.set()
        go_on.wait(5)

    def ask() -> int:
        with connections["wal"].cursor() as cursor:
            return int(cursor.execute("PRAGMA synchronous").fetchone()[0])

    writer().submit(hold, durable=False)
    started.wait(5)
    # These wait for the one that is held, and so are one batch.
    beside()
    asked = writer().submit(ask, durable=False)
    go_on.set()
    return asked.result(timeout=5)


def test_what_waits_is_committed_by_who_goes_on_with_it() -> None:
    """At once, where the writer would still have left it to others."""
    appending = append_soon()
    journal.commit()
    assert appending.done.done()
    assert Entry.objects.get().pk == appending.entry.pk == appending.done.result()


def test_what_nobody_commits_the_writer_does() -> None:
    assert append_soon().wait().pk == Entry.objects.get().pk


def test_what_comes_after_a_commit_has_a_time_of_its_own() -> None:
    """The writer's thread was reminded of what others have committed since."""
    patience = 0.4
    first = writer().submit(lambda: None, durable=False, patience=patience)
    journal.commit()
    assert first.done()
    time.sleep(patience / 2)
    begun = time.monotonic()
    writer().submit(lambda: None, durable=False, patience=patience).result(timeout=20)
    assert time.monotonic() - begun >= patience


def test_64_clients_at_once_none_waits_over_half_a_second() -> None:
    append()  # The writer's connection is open.
    barrier = Barrier(64)

    def client(_: int) -> float:
        barrier.wait()
        slowest = 0.0
        for _ in range(20):
            begun = time.perf_counter()
            append(b"x" * 400)
            slowest = max(slowest, time.perf_counter() - begun)
        return slowest

    with ThreadPoolExecutor(64) as pool:
        slowest = max(pool.map(client, range(64)))
    assert Entry.objects.count() == 64 * 20 + 1
    assert slowest < 0.5


def test_processes_that_append_take_turns() -> None:
    """Neither of two busy processes keeps the other out of the log."""
    script = (
        "import django; django.setup()\n"
        "import time, uuid\n"
        "from django.utils import timezone\n"
        "from wal import journal\n"
        "journal.unsettled().count(); input()\n"
        "slowest = 0.0\n"
        "for _ in range(150):\n"
        "    begun = time.perf_counter()\n"
        "    now = timezone.now()\n"
        "    name = uuid.uuid4()\n"
        "    journal.append(b'x', correlation_id=name, received_at=now, envelope={}).wait()\n"
        "    slowest = max(slowest, time.perf_counter() - begun)\n"
        "print(slowest)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, **databases_of_this_run()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    outputs = []
    with ThreadPoolExecutor(4) as pool:
        outputs = list(
            pool.map(lambda process: process.communicate("go\n", timeout=60)[0], processes)
        )
    assert all(float(output) < 0.5 for output in outputs), outputs
    assert Entry.objects.count() == 600


def test_ids_follow_the_order_of_commits() -> None:
    with ThreadPoolExecutor(16) as pool:
        appended = list(pool.map(lambda _: append(), range(100)))
    received = [entry.pk for entry in Entry.objects.order_by("id")]
    assert sorted(entry.pk for entry in appended) == received
    assert received == list(range(received[0], received[0] + 100))


def test_a_log_that_cannot_be_written_accepts_nothing() -> None:
    append()
    other = sqlite3.connect(log_file(), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(LogUnavailable):
            append()
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert Entry.objects.count() == 1
    append()


def test_a_bad_write_does_not_take_others_with_it() -> None:
    """Writes that were committed together succeed or fail each for itself."""
    writer = Writer()
    started, go_on = Event(), Event()

    def hold() -> None:
        started.set()
        go_on.wait(5)

    writer.submit(hold, durable=False)
    started.wait(5)
    # These three wait together, so they are one batch.
    twice = uuid.uuid4()

    def insert(correlation_id: uuid.UUID) -> Any:
        return lambda: EntryFactory(correlation_id=correlation_id)

    good, first, second = (
        writer.submit(insert(id_), durable=True) for id_ in (uuid.uuid4(), twice, twice)
    )
    go_on.set()
    assert good.result(timeout=5).pk
    assert first.result(timeout=5).pk
    with pytest.raises(IntegrityError):
        second.result(timeout=5)
    assert Entry.objects.count() == 2


def test_who_waits_at_the_turnstile_goes_first(tmp_path: Path) -> None:
    """Whoever has just had a turn cannot take the next one past a waiting writer."""
    mine, theirs = Turnstile(tmp_path / "log"), Turnstile(tmp_path / "log")
    order: list[str] = []
    waiting = Event()

    def other() -> None:
        waiting.set()
        with theirs.turn():
            order.append("theirs")

    with ThreadPoolExecutor(1) as pool:
        with mine.turn():
            done = pool.submit(other)
            waiting.wait(5)
            _wait_until_held(tmp_path / "log-turnstile")
        with mine.turn():
            order.append("mine")
        done.result(timeout=5)
    assert order == ["theirs", "mine"]


def _wait_until_held(path: Path) -> None:
    """Until somebody stands in the turnstile; bounded."""
    import fcntl

    probe = os.open(path, os.O_RDWR)
    deadline = time.monotonic() + 5
    try:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(probe, fcntl.LOCK_UN)
            time.sleep(0.001)
    finally:
        os.close(probe)
    raise AssertionError("nobody came to the turnstile")
