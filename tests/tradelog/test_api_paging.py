"""Pages of the API: every row once, whatever is added meanwhile."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.alerts import Answer
from tests.factories import LotFactory, TradeFactory, WebhookLogFactory
from tests.tradelog.api import Reader

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
#: All times: with it, rows come in the order of a time and not of their ids.
BY_TIME = {
    "trades/": {"exit_time_from": "1970-01-01"},
    "positions/": {"entry_time_from": "1970-01-01"},
    "alerts/": {"received_at_from": "1970-01-01"},
}


def add(path: str, moment: datetime) -> int:
    factory: Any = {
        "trades/": TradeFactory, "positions/": LotFactory, "alerts/": WebhookLogFactory,
    }[path]  # fmt: skip
    [time] = BY_TIME[path]
    row = factory(**{time.removesuffix("_from"): moment})
    return int(row.pk)


def pages(api: Reader, path: str, between: Callable[[], object], **parameters: Any) -> list[int]:
    """The ids on all pages, with something done between one and the next."""
    answer: Answer = api(path, **parameters)
    ids = [row["id"] for row in answer["results"]]
    while answer["next"]:
        between()
        answer = api(answer["next"])
        ids += [row["id"] for row in answer["results"]]
    return ids


@pytest.mark.parametrize("path", BY_TIME)
def test_rows_added_meanwhile_move_none(api: Reader, path: str) -> None:
    there = [add(path, NOON) for _ in range(23)]
    ids = pages(api, path, lambda: add(path, NOON), page_size=5)
    assert ids == there[::-1]


@pytest.mark.parametrize("path", BY_TIME)
def test_by_time_as_well(api: Reader, path: str) -> None:
    """Of one bar's close there may be many, and others are added to them."""
    moments = [NOON + timedelta(hours=number % 3) for number in range(23)]
    there = [(moment, add(path, moment)) for moment in moments]
    added: list[int] = []

    def between() -> None:
        # Before, among and after those that were there.
        added.extend(add(path, NOON + timedelta(hours=hour)) for hour in (-1, 0, 1, 2, 3))

    ids = pages(api, path, between, page_size=5, **BY_TIME[path])
    were_there = [pk for pk in ids if pk not in added]
    assert were_there == [pk for _, pk in sorted(there, reverse=True)]
    assert len(ids) == len(set(ids))


def test_a_page_is_as_long_as_is_asked_for(api: Reader) -> None:
    TradeFactory.create_batch(101)
    first = api("trades/")
    assert len(first["results"]) == 100
    assert len(api(first["next"])["results"]) == 1
    assert api("trades/", page_size=101)["next"] is None


def test_the_next_page_keeps_the_filters(api: Reader) -> None:
    TradeFactory.create_batch(3, symbol="NASDAQ:A&B")
    TradeFactory.create_batch(3)
    assert len(api.ids("trades/", symbol="NASDAQ:A&B", page_size=1)) == 3


def test_a_cursor_of_other_filters_is_refused(api: Reader) -> None:
    TradeFactory.create_batch(2)
    by_id = api("trades/", page_size=1)["next"]
    refused = api(f"{by_id}&exit_time_from=2020-01-01")
    assert (refused.http, list(refused["error"]["fields"])) == (400, ["cursor"])


@pytest.mark.parametrize(
    "place",
    ["exit_time|0001-01-01T00:00:00+23:00|5", "exit_time|9999-12-31T23:59:59-23:00|5",
     "exit_time|2026-01-05T14:30:00|5", "exit_time|2026-01-05T14:30:00+00:00|"],
)  # fmt: skip
def test_a_place_that_no_row_has_is_refused(api: Reader, place: str) -> None:
    cursor = urlsafe_b64encode(place.encode()).decode()
    refused = api("trades/", exit_time_from="2020-01-01", cursor=cursor)
    assert (refused.http, list(refused["error"]["fields"])) == (400, ["cursor"])


@pytest.mark.parametrize("path", BY_TIME)
@pytest.mark.parametrize("by_time", [False, True])
def test_a_page_is_found_by_an_index(api: Reader, path: str, by_time: bool) -> None:
    """However many rows there are, a page in the middle begins in the index."""
    for number in range(300):
        add(path, NOON + timedelta(minutes=number))
    parameters = {"page_size": "5", **(BY_TIME[path] if by_time else {})}
    following = api(path, **parameters)["next"]
    with CaptureQueriesContext(connection) as captured:
        api(following)
    table = {"trades/": "trades", "positions/": "open_positions", "alerts/": "webhook_logs"}[path]
    [query] = [q["sql"] for q in captured.captured_queries if f'FROM "{table}"' in q["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        # Of 300 rows PostgreSQL would read all; what is asked is whether an index serves.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    index = {
        "trades/": ("trades_pkey", "trades_by_exit_time"),
        "positions/": ("open_positions_pkey", "lots_by_entry_time"),
        "alerts/": ("webhook_logs_pkey", "logs_by_time"),
    }[path][by_time]
    assert f"Index Scan Backward using {index}" in plan, plan
    assert "Limit" in plan.splitlines()[0]
