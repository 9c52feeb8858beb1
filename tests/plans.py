"""What PostgreSQL does for the questions it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

#: A statement and its parameters.
Question = tuple[str, Any]


@contextmanager
def questions() -> Iterator[list[Question]]:
    """All that the main database is asked within, on this connection."""
    asked: list[Question] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        asked.append((sql, parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        yield asked


def plan_of(question: Question) -> dict[str, Any]:
    """Its plan, once it has been carried out."""
    sql, parameters = question
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", parameters)
        ((told,),) = cursor.fetchall()
    plan: dict[str, Any] = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    return plan


def pages_of(plan: dict[str, Any]) -> int:
    """How many pages of tables and indexes were read."""
    pages: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return pages
