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
from wal.models import Entry

NOW = datetime.now(UTC)

QUESTIONS: dict[str, Callable[[], object]] = {
    "the oldest unsettled": lambda: list(journal.unsettled()[:10]),
    "how many are unsettled": lambda: journal.unsettled().count(),
    "what a book's next entry waits for": lambda: list(journal.unsettled("A\x1fB", up_to=9)),
    "a walk through the unsettled": lambda: list(journal.walk(journal.unsettled())),
    "what is parked": lambda: list(journal.parked(received_before=NOW)),
    "what waits, by state": waiting,
    "the backlog": lambda: backlog(since=NOW - timedelta(days=7), until=NOW),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_it_is_found_by_an_index(databases: None, question: str) -> None:
    log = connections["wal"]
    if log.vendor != "sqlite":
        pytest.skip("asks SQLite how it goes about it")
    settled = EntryFactory.build_batch(300, status="completed", received_at=NOW)
    Entry.objects.bulk_create([*settled, EntryFactory.build(book="A\x1fB")])
    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        asked.append((sql, parameters))
        return execute(sql, parameters, many, context)

    with log.cursor() as cursor:
        cursor.execute("ANALYZE")
        with log.execute_wrapper(note):
            QUESTIONS[question]()
        assert asked
        for sql, parameters in asked:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
            plan = [row[3] for row in cursor.fetchall()]
            assert "INDEX" in plan[0], plan
