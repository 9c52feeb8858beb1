"""What is read of the books before alerts are applied."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection, transaction

from tests.alerts import Poster
from tests.factories import LotFactory
from webhooks.standing import Standing, look

pytestmark = pytest.mark.usefixtures("databases")

BOOK = "Alpha\x1fBINANCE:BTCUSDT"


def look_at(*books: str) -> Standing:
    with transaction.atomic():
        return look(books, [uuid.uuid4()], ["none"], with_refused=True, seconds=2)


def test_statements_are_planned_once_a_connection() -> None:
    """Planning them takes PostgreSQL several times longer than carrying them out."""
    for _ in range(8):
        look_at(BOOK)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE '%%parked%%'"
        )
        [(planned_once,)] = cursor.fetchall()
    assert planned_once > 0


def test_no_table_is_read_as_a_whole(post: Poster) -> None:
    """Whatever PostgreSQL takes the tables' sizes for."""
    post()
    with transaction.atomic():
        before = read_as_a_whole()
        look([BOOK], [uuid.uuid4()], ["none"], with_refused=True, seconds=2)
        assert read_as_a_whole() == before


def read_as_a_whole() -> dict[str, int]:
    """How often each table was, on this connection and not told to others yet.

    PostgreSQL tells the others once a second or so, between two transactions: what is to be
    compared is read within one.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, seq_scan FROM pg_stat_xact_user_tables"
            " WHERE relname IN ('strategies', 'open_positions', 'webhook_logs')"
        )
        return {table: count for table, count in cursor.fetchall() if count}


def test_what_a_book_holds(post: Poster) -> None:
    opened = post(quantity="1.50", price="100.250")
    standing = look_at(BOOK, "Nobody\x1fX")
    assert standing.ours == {BOOK, "Nobody\x1fX"}
    [lot] = standing.lots[BOOK].first
    lot_there = type(lot).objects.get()
    assert (lot.pk, vars(lot) | {"_state": None}) == (
        opened["position_id"],
        vars(lot_there) | {"_state": None},
    )
    assert standing.strategies == {"Alpha": lot.strategy}
    assert vars(standing.strategies["Alpha"]) | {"_state": None} == vars(lot.strategy) | {
        "_state": None
    }
    assert standing.ends.keys() == {BOOK}


def test_only_the_books_asked_for_are_read(databases: None) -> None:
    """Not all open lots once for each of them, whatever the plan was made for."""
    for _ in range(8):
        look_at(BOOK)
    for number in range(40):
        LotFactory(strategy__name=f"S{number}")
    asked = [f"S{number}\x1fBINANCE:BTCUSDT" for number in range(4)]
    before = read_by_index()
    standing = look_at(*asked)
    after = read_by_index()
    assert standing.lots.keys() == set(asked)
    assert after["open_positions"] - before["open_positions"] == len(asked)
    # Once by all of their names, and once for the lots of each.
    assert after["strategies"] - before["strategies"] <= 2 * len(asked)


def read_by_index() -> dict[str, int]:
    """How many rows of each table were, on this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT relname, idx_tup_fetch FROM pg_stat_user_tables"
            " WHERE relname IN ('strategies', 'open_positions')"
        )
        return dict(cursor.fetchall())


def test_one_index_finds_keys_and_their_beginnings(databases: None) -> None:
    """Keys are random: each further index is written to at another place by every alert."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%%idempotency_key%%'")
        [(name,)] = cursor.fetchall()
        cursor.execute("SET LOCAL enable_seqscan = off")
        for condition in ("= 'key'", "LIKE 'key@%%'"):
            cursor.execute(f"EXPLAIN SELECT id FROM webhook_logs WHERE idempotency_key {condition}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert name in plan and "Index Cond" in plan, plan


def test_alerts_are_named_in_the_order_they_came(post: Poster) -> None:
    """Random names would be inserted all over the indexes of both databases."""
    names = [post(order_id=f"order {number}")["correlation_id"] for number in range(20)]
    assert names == sorted(names)
