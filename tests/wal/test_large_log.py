"""However long the log grows, what is asked of it all the time is found by an index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from tests.factories import EntryFactory
from wal import journal
from wal.backlog import backlog, waiting
from wal.line import line
from wal.models import Entry, EntryStatus
from wal.steps import walk
from webhooks.draining import drain_once

NOW = datetime.now(UTC)
BOOK = "A\x1fB"

QUESTIONS: dict[str, Callable[[], object]] = {
    "some of the unsettled": lambda: list(journal.unsettled()[:10]),
    "how many are unsettled": lambda: journal.unsettled().count(),
    "what is unsettled of a book": lambda: list(journal.unsettled(BOOK)),
    "a walk through the unsettled": lambda: list(walk(journal.unsettled())),
    "the first in line": lambda: line([BOOK], [300], up_to=301, most=32),
    "what is parked": lambda: list(journal.parked(before=NOW)),
    "a walk through the parked": lambda: list(walk(journal.parked(before=NOW))),
    "what has failed": lambda: list(walk(journal.having(EntryStatus.FAILED))),
    "what waits, by state": waiting,
    "the backlog": lambda: backlog(since=NOW - timedelta(days=7), until=NOW),
    "what is left to drain": drain_once,
    "what processes have claimed": lambda: list(journal.having(EntryStatus.PROCESSING)),
}

#: What finds a few entries; others find the whole log, or all since some time.
GOOD = ("(rowid=?)", "INDEX wal_unsettled", "INDEX wal_parked", "INDEX wal_failed",
        "INDEX wal_duplicates", "INDEX wal_doubtful")  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_is_found_by_an_index(databases: None, question: str) -> None:
    steps = steps_of(question)
    assert steps
    assert not [step for step in steps if not any(good in step for good in GOOD)]


def test_the_few_that_are_doubtful_are_not_looked_for_among_all_duplicates(
    databases: None,
) -> None:
    assert any("INDEX wal_doubtful (settled_at>" in step for step in steps_of("the backlog"))


def steps_of(question: str) -> list[str]:
    log = connections["wal"]
    if log.vendor != "sqlite":
        pytest.skip("asks SQLite how it goes about it")
    settled = EntryFactory.build_batch(300, status="completed", received_at=NOW)
    Entry.objects.bulk_create(settled)
    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        asked.append((sql, parameters))
        return execute(sql, parameters, many, context)

    # Nothing is analyzed, as nobody does it to the log of an installation.
    with log.cursor() as cursor:
        with log.execute_wrapper(note):
            QUESTIONS[question]()
        return [step for sql, parameters in asked for step in plan(cursor, sql, parameters)]


def plan(cursor: Any, sql: str, parameters: Any) -> list[str]:
    """How SQLite finds the entries that a statement is about."""
    if not sql.startswith(("SELECT", "UPDATE")):
        return []
    cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
    return [step for *_, step in cursor.fetchall() if " webhook_wal" in step]
