"""One transaction: what fails in the middle leaves nothing, and the entry is replayed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from positions.models import Lot
from tests.alerts import Poster
from trades.models import Trade
from wal.models import Entry
from webhooks.models import WebhookLog

EXIT: dict[str, Any] = {"action": "exit", "price": "110", "time": "2026-01-05T15:00:00Z"}


@contextmanager
def refusing(statement: str, table: str) -> Iterator[None]:
    """Make PostgreSQL itself refuse a kind of statement on a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'refused for a test'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER refusal BEFORE {statement} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        try:
            yield
        finally:
            cursor.execute("DROP FUNCTION refuse() CASCADE")


def tables() -> dict[str, list[Any]]:
    return {
        "trades": list(Trade.objects.order_by("id").values()),
        "lots": list(Lot.objects.order_by("id").values()),
        "alerts": list(WebhookLog.objects.order_by("id").values()),
    }


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        pytest.param("INSERT", "webhook_logs", id="inserting the alert's row"),
        pytest.param("INSERT", "trades", id="inserting the trade"),
        pytest.param("UPDATE", "open_positions", id="closing the lot"),
    ],
)
def test_nothing_changes_and_the_entry_is_replayed(
    post: Poster, statement: str, table: str
) -> None:
    post()
    before = tables()

    with refusing(statement, table):
        answer = post(**EXIT)
        assert (answer.http, answer["status"], answer.code) == (202, "queued", "PROCESSING_ERROR")
        assert "refused" not in str(answer.body), "the database's words are not the client's"
        assert tables() == before
        entry = Entry.objects.get(pk=answer["wal_id"])
        assert entry.status == "pending"
        assert "refused for a test" in entry.last_error
        # The alerts that follow wait behind it.
        assert post(time="2026-01-05T16:00:00Z")["status"] == "queued"
        with pytest.raises(SystemExit, match="1"):
            call_command("replay_wal", stdout=StringIO())
        assert tables() == before

    call_command("replay_wal", stdout=StringIO())
    assert Trade.objects.get().exit_price == 110
    assert list(Lot.objects.order_by("id").values_list("status", flat=True)) == ["closed", "open"]
    assert not Entry.objects.exclude(status="completed").exists()


def test_an_exit_that_cannot_be_released_keeps_its_entry_in_the_log(post: Poster) -> None:
    """Its row is there, and is written again when its entry comes."""
    assert post(**EXIT)["status"] == "parked"
    before = tables()
    with refusing("UPDATE", "webhook_logs"):
        answer = post()
        assert (answer.http, answer.code) == (202, "PROCESSING_ERROR")
        assert tables() == before
    call_command("replay_wal", stdout=StringIO())
    assert Trade.objects.get().exit_price == 110
    assert set(WebhookLog.objects.values_list("status", flat=True)) == {"processed"}
    assert not Entry.objects.exclude(status="completed").exists()


def test_a_faulty_book_does_not_hold_up_others(post: Poster) -> None:
    with refusing("INSERT", "trades"):
        post()
        assert post(**EXIT)["status"] == "queued"
        assert post(symbol="OTHER")["status"] == "processed"
