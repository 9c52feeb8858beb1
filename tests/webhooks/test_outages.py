"""A database that hangs, cuts, refuses; a log that cannot be written; a stop under load."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections, transaction

from positions.models import Lot
from tests.alerts import Answer
from tests.processes import suspend
from tests.server import NOWHERE, Server
from wal.models import Entry
from webhooks.models import WebhookLog

#: TradingView gives up after this many seconds.
LIMIT = 3.0

#: What the server under test calls itself to the database.
NAME = "the server"


@pytest.fixture
def server(databases: None) -> Iterator[Server]:
    with Server(
        WORKERS="1", BREAKER_FAILURES="2", BREAKER_RESET_SECONDS="0.5", PGAPPNAME=NAME
    ) as running:
        yield running


def timed(post: Callable[..., Answer], **fields: Any) -> tuple[Answer, float]:
    begun = time.monotonic()
    answer = post(**fields)
    return answer, time.monotonic() - begun


def backends() -> list[int]:
    """The processes of PostgreSQL behind the server's connections."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", [NAME])
        return [pid for (pid,) in cursor.fetchall()]


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Hold processes still: they neither answer nor go away."""
    for pid in pids:
        suspend(pid)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def settled() -> bool:
    return not Entry.objects.filter(status__in=("pending", "processing")).exists()


def test_connections_that_were_cut_cost_nobody_anything(server: Server) -> None:
    server.post()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) pid", [backends()])
    again = server.post(time="2026-01-05T15:00:00Z")
    assert (again.http, again["action"]) == (200, "added")


def test_a_book_held_for_a_moment_is_waited_for(server: Server) -> None:
    server.post()
    log = WebhookLog.objects.get()
    answers: list[Answer] = []
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [book_of(log)])
        exit_ = threading.Thread(
            target=lambda: answers.append(server.post(action="exit", time="2026-01-05T15:00:00Z"))
        )
        exit_.start()
        server.wait_until(lambda: in_hand() == 1)
        cursor.execute("SELECT pg_advisory_unlock_all()")
        exit_.join()
    assert (answers[0].http, answers[0]["action"]) == (200, "closed")


def test_a_book_held_for_long_is_answered_in_time_and_applied_later(server: Server) -> None:
    server.post()
    log = WebhookLog.objects.get()
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [book_of(log)])
        answer, took = timed(server.post, action="exit", time="2026-01-05T15:00:00Z")
        assert (answer.http, answer["status"]) == (202, "queued")
        assert took < LIMIT
        # Other books do not notice.
        assert server.post(symbol="OTHER").http == 200
        cursor.execute("SELECT pg_advisory_unlock_all()")
    server.wait_until(settled)
    assert Lot.objects.get(symbol=log.symbol).status == "closed"


def test_locked_rows_keep_other_books_waiting_for_a_moment_only(databases: None) -> None:
    with Server(WORKERS="1", BREAKER_FAILURES="1", ANSWER_SECONDS="5") as server:
        for symbol in ("ONE", "TWO"):
            server.post(symbol=symbol)
        answers: dict[str, Answer] = {}

        def exit_from(symbol: str) -> None:
            answers[symbol] = server.post(symbol=symbol, action="exit", time="2026-01-05T15:00:00Z")

        def enter(symbol: str) -> None:
            answers[symbol] = server.post(symbol=symbol)

        posting = [
            threading.Thread(target=post, args=[symbol])
            # The last two are applied together, once the first one has been given up.
            for post, symbol in ((exit_from, "ONE"), (enter, "OTHER"), (exit_from, "TWO"))
        ]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT id FROM open_positions FOR UPDATE")
            for taken, thread in enumerate(posting, start=1):
                thread.start()
                server.wait_until(are_in_hand(taken))
            for thread in posting:
                thread.join()
        assert (answers["OTHER"].http, answers["OTHER"]["action"]) == (200, "opened")
        for symbol in ("ONE", "TWO"):
            assert (answers[symbol].http, answers[symbol]["status"]) == (202, "queued")
        assert "Something else holds" in answers["ONE"]["error"]["message"]
        assert 'relation "open_positions"' in server.output
        assert "out of reach" not in server.output
        server.wait_until(settled)
    assert Lot.objects.filter(status="open").get().symbol == "OTHER"


def test_a_database_that_hangs_hangs_nobody(server: Server) -> None:
    server.post()
    with stopped(backends()):
        first, took = timed(server.post, time="2026-01-05T15:00:00Z")
        assert (first.http, first.code) == (202, "DATABASE_UNAVAILABLE")
        assert took < LIMIT
        assert server.get("/health/live").http == 200
    server.wait_until(settled)
    assert Lot.objects.count() == 2


def test_an_open_breaker_answers_at_once(databases: None) -> None:
    with Server(
        WORKERS="1", BREAKER_FAILURES="1", BREAKER_RESET_SECONDS="600",
        DATABASE_URL=NOWHERE,
    ) as server:  # fmt: skip
        server.post()
        answer, took = timed(server.post)
        assert (answer.http, answer.code) == (202, "DATABASE_UNAVAILABLE")
        assert took < 0.5, "nothing is asked of a database that is known to be away"


def test_a_locked_log_accepts_nothing_in_time(server: Server) -> None:
    server.post()
    locking = sqlite3.connect(connections["wal"].settings_dict["NAME"], isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")
    refused, took = timed(server.post, symbol="OTHER")
    assert (refused.http, refused.code, refused.headers["Retry-After"]) == (
        503, "WAL_UNAVAILABLE", "5",
    )  # fmt: skip
    assert took < LIMIT
    ready = server.get("/health/ready")
    assert (ready.http, ready["parts"]["log"][:11]) == (503, "unavailable")
    locking.close()
    assert server.post(symbol="OTHER").http == 200
    assert server.get("/health/ready").http == 200


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    (worker,) = (
        process for process in server.workers() if "spawn_main" in " ".join(process.cmdline())
    )
    before = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
    # No file of this process may grow past this: its writes to the log fail.
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_seen_while_the_log_is_empty(server: Server) -> None:
    before = server.post()["wal_id"]
    Entry.objects.all().delete()
    with full_disk(server):
        ready = server.get("/health/ready")
        assert (ready.http, ready["parts"]["log"][:11]) == (503, "unavailable")
    assert server.get("/health/ready").http == 200
    assert not Entry.objects.exists()
    assert server.post(symbol="OTHER")["wal_id"] == before + 1, "looking used up an id"


def test_a_full_disk_accepts_nothing_and_breaks_nothing(server: Server) -> None:
    server.post()
    with full_disk(server):
        assert server.post(symbol="OTHER").code == "WAL_UNAVAILABLE"
        assert not WebhookLog.objects.filter(symbol="OTHER").exists()
        ready = server.get("/health/ready")
        assert (ready.http, ready["parts"]["log"][:11]) == (503, "unavailable")
    assert server.post(symbol="OTHER").http == 200
    server.wait_until(settled)
    assert Entry.objects.count() == 2


def test_a_stop_leaves_nothing_claimed(server: Server) -> None:
    """Alerts whose book is held are in hand when the server is told to stop."""
    server.post()
    log = WebhookLog.objects.get()
    answers: list[Answer] = []
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [book_of(log)])
        posting = [
            threading.Thread(
                target=lambda minute: answers.append(
                    server.post(time=f"2026-01-05T15:0{minute}:00Z")
                ),
                args=[minute],
            )
            for minute in range(4)
        ]
        for thread in posting:
            thread.start()
        server.wait_until(lambda: in_hand() == 4)
        server.process.terminate()
        for thread in posting:
            thread.join()
        assert server.process.wait(15) == 0
        cursor.execute("SELECT pg_advisory_unlock_all()")
    assert [answer.http for answer in answers] == [202] * 4
    assert not Entry.objects.filter(status="processing").exists()
    assert Entry.objects.filter(status="pending").count() == 4


def book_of(log: WebhookLog) -> str:
    return Entry.objects.get(pk=log.wal_id).book


def in_hand() -> int:
    """How many alerts the server has taken and not settled."""
    return Entry.objects.filter(status="processing").count()


def are_in_hand(count: int) -> Callable[[], bool]:
    return lambda: in_hand() == count
