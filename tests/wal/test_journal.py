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
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import IntegrityError, connections
from django.utils import timezone

from faults import LogUnavailable
from tests.factories import EntryFactory
from tests.server import ROOT, databases_of_this_run
from wal import journal
from wal.models import Entry, EntryStatus
from wal.statements import Mark
from wal.turn import Turnstile
from wal.writer import Writer, writer

pytestmark = pytest.mark.usefixtures("databases")


def append(body: bytes = b"{}") -> Entry:
    return append_soon(body).wait()


def append_soon(body: bytes = b"{}") -> journal.Appending:
    return journal.append(
        body, correlation_id=uuid.uuid4(), received_at=timezone.now(), envelope={"token": "t"}
    )


def log_file() -> Path:
    return Path(str(connections["wal"].settings_dict["NAME"]))


def test_an_appended_entry_is_claimed_by_this_process() -> None:
    entry = append(b"\x00\xff{")
    stored = Entry.objects.get(pk=entry.pk)
    assert bytes(stored.body) == b"\x00\xff{"
    assert (stored.status, stored.claimed_by, stored.attempts) == ("processing", journal.owner(), 1)
    assert stored.claimed_until and stored.claimed_until > timezone.now()


def completed(entry: Entry, log_id: int | None) -> Mark:
    return Mark(
        entry.pk, entry.correlation_id, EntryStatus.COMPLETED, book="b", webhook_log_id=log_id
    )


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


def test_a_live_claim_holds_and_an_expired_one_does_not() -> None:
    entry = append()
    assert not journal.claim([entry.pk])
    Entry.objects.filter(pk=entry.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert journal.claim([entry.pk])
    assert Entry.objects.get(pk=entry.pk).attempts == 2


def test_of_several_those_that_are_free_are_claimed() -> None:
    free, taken, settled = append(), append(), append()
    journal.release(free.pk, book="b", error="")
    journal.settle([completed(settled, 1)]).result(timeout=5)
    assert journal.claim([free.pk, taken.pk, settled.pk]) == {free.pk}
    assert journal.claim([free.pk, taken.pk, settled.pk]) == set()
    assert journal.claim([]) == set()


def test_a_claim_is_won_once() -> None:
    entry = append()
    journal.release(entry.pk, book="b", error="later")
    barrier = Barrier(16)

    def race(_: int) -> bool:
        barrier.wait()
        return bool(journal.claim([entry.pk]))

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(race, range(16))) == [False] * 15 + [True]


def test_release_leaves_what_is_settled_alone() -> None:
    entry = append()
    journal.settle([completed(entry, 7)]).result(timeout=5)
    journal.release(entry.pk, book="b", error="late")
    stored = Entry.objects.get(pk=entry.pk)
    assert (stored.status, stored.webhook_log_id, stored.last_error) == ("completed", 7, "")


def test_release_leaves_what_another_process_claims_alone() -> None:
    entry = EntryFactory(status="processing", claimed_by="another")
    journal.release(entry.pk, book="b", error="late")
    stored = Entry.objects.get(pk=entry.pk)
    assert (stored.status, stored.claimed_by) == ("processing", "another")


def test_a_mark_is_not_for_another_entry_with_the_same_id() -> None:
    entry = append()
    earlier = Mark(entry.pk, uuid.uuid4(), EntryStatus.COMPLETED, book="b", webhook_log_id=7)
    journal.settle([earlier]).result(timeout=5)
    stored = Entry.objects.get(pk=entry.pk)
    assert (stored.status, stored.webhook_log_id) == ("processing", None)


def test_unsettled_is_by_book_and_walked_in_log_order() -> None:
    first, second, third = append(), append(), append()
    journal.release(first.pk, book="a", error="")
    journal.release(second.pk, book="b", error="")

    def walked(book: str | None = None, up_to: int | None = None) -> list[int]:
        return [entry.pk for entry in journal.walk(journal.unsettled(book, up_to=up_to))]

    # Their index has them by book: the third, which nobody has read, comes first there.
    assert walked() == [first.pk, second.pk, third.pk]
    # It may be of any book.
    assert walked("b") == [second.pk, third.pk]
    assert walked("b", up_to=second.pk) == [second.pk]


def test_walking_the_log_sees_what_happens_meanwhile() -> None:
    appended = [append() for _ in range(7)]
    walked = journal.walk(journal.unsettled(), step=3)
    next(walked)
    for entry in appended[1:6]:
        journal.settle([completed(entry, None)]).result(timeout=5)
    second = next(walked)
    second.refresh_from_db()
    assert second.status == "completed"
    next(walked)
    assert [entry.pk for entry in walked] == [appended[6].pk]


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
