"""Reading all of the main database as of one moment."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import InternalError, connection

from tests.alerts import Poster
from trades.models import Strategy
from webhooks.alert_findings import alert_findings
from webhooks.snapshot import one_moment

pytestmark = pytest.mark.usefixtures("databases")


def test_nothing_is_written_meanwhile() -> None:
    with pytest.raises(InternalError, match="read-only"), one_moment():
        Strategy.objects.create(name="Alpha")


def test_tables_of_unknown_size_are_not_held_against_each_other_row_by_row(post: Poster) -> None:
    """As PostgreSQL would after a crash: it has forgotten how large they are."""
    post()
    forget_sizes("webhook_logs", "open_positions")
    plans: list[str] = []

    def explained(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith("WITH"):
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {sql}", parameters)
                plans.append("\n".join(line for (line,) in cursor.fetchall()))
        return execute(sql, parameters, many, context)

    with one_moment(), connection.execute_wrapper(explained):
        assert list(alert_findings(None)) == []
    assert plans
    assert not any("Nested Loop" in plan for plan in plans)


def test_it_takes_one_core_and_leaves_the_others_to_alerts() -> None:
    count = "SELECT count(*) FROM webhook_logs"
    with one_moment(), connection.cursor() as cursor:
        for free in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
            cursor.execute(f"SET LOCAL {free} = 0")
        cursor.execute(f"EXPLAIN {count}")
        alone = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET max_parallel_workers_per_gather")
        cursor.execute(f"EXPLAIN {count}")
        several = "\n".join(line for (line,) in cursor.fetchall())
    assert "Gather" in several, "the table would be read by several"
    assert "Gather" not in alone


def forget_sizes(*tables: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_class SET reltuples = -1, relpages = 0"
            " WHERE oid = ANY(%s::text[]::regclass[])",
            [list(tables)],
        )
