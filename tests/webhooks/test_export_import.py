"""What is missing is brought in as one batch, never twice, and can be taken out again."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connections

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.damage import copy_of, tables
from tests.factories import EntryFactory
from tests.server import databases_of_this_run
from tests.trades.demo_list import demo_list
from tests.trades.export_files import Form, Listed, as_csv, as_xlsx, rows
from tests.webhooks.exported_trades import (
    FIRST,
    SECOND,
    export_of,
    listed,
    post_trade,
)
from tradelog.session import ALERTS
from trades.corrections import correct
from trades.exports.reader import read_export
from trades.imports import NotUndoable, undo
from trades.models import ImportBatch, Strategy, Trade
from webhooks.export_comparison import Choice, NotComparable, compare
from webhooks.export_import import import_missing
from webhooks.reconcile import find, mend
from webhooks.signal import book_name
from webhooks.trade_audit import audit

ALPHA = Choice("Alpha", "BINANCE:BTCUSDT", "UTC")


@pytest.fixture
def first(post: Poster) -> Poster:
    post_trade(post, FIRST)
    return post


def brought_in(choice: Choice = ALPHA, *trades: Listed) -> ImportBatch:
    _, batch = import_missing(export_of(*trades or (FIRST, SECOND)), choice, None)
    assert batch is not None
    return batch


def test_a_missing_trade_is_brought_in(first: Poster) -> None:
    user = User.objects.create_superuser("trader")
    export = export_of(FIRST, SECOND, form=Form("en, newest"))
    _, batch = import_missing(export, ALPHA, user)
    assert batch is not None
    trade = Trade.objects.get(import_batch=batch)
    assert (
        trade.strategy.name, trade.symbol, trade.direction, trade.quantity, trade.entry_price,
        trade.exit_price, trade.entry_time, trade.exit_time, trade.currency,
    ) == (
        "Alpha", "BINANCE:BTCUSDT", "long", 1, Decimal("123.5"), 110,
        datetime(2026, 1, 5, 14, 30, tzinfo=UTC), datetime(2026, 1, 5, 15, tzinfo=UTC), "",
    )  # fmt: skip
    # By its prices, less the commission that the file tells; the file's own beside it.
    assert (trade.commission, trade.pnl) == (Decimal("0.25"), Decimal("-13.75"))
    assert (trade.pnl_reported, trade.pnl_discrepancy) == (10, Decimal("23.75"))
    assert not hasattr(trade, "lot")
    assert (
        batch.file_name, batch.sha256, batch.imported_by, batch.strategy, batch.symbol,
        batch.time_zone, batch.count, batch.undone_at, batch.bar,
    ) == (
        "list.csv", export.sha256, user, trade.strategy, "BINANCE:BTCUSDT", "UTC", 1, None,
        timedelta(minutes=30),
    )  # fmt: skip
    assert compare(export, ALPHA).is_clean


def test_reconciliation_leaves_imported_trades_alone(first: Poster) -> None:
    brought_in()
    assert find() == []
    assert list(audit()) == []
    before = tables()
    assert mend() == ([], [])
    # Nor are they taken for a trade that alerts made and that is gone.
    made = Trade.objects.get(import_batch__isnull=True)
    Lot.objects.update(trade=None)
    made.webhook_logs.update(trade=None)
    Trade.objects.filter(import_batch__isnull=False).update(
        entry_time=made.entry_time, exit_time=made.exit_time, entry_price=made.entry_price,
        pnl=made.pnl, pnl_discrepancy=None,
    )  # fmt: skip
    made.delete()
    _, left = mend()
    assert Trade.objects.filter(import_batch__isnull=True).count() == 1
    assert [finding.kind for finding in left] == ["duplicate_trade"]
    assert not left[0].mendable and "undo the import" in left[0].sentence
    assert tables() != before


def test_the_point_value_counts(first: Poster) -> None:
    Strategy.objects.update(point_value=Decimal("2.5"))
    batch = brought_in()
    assert batch.trades.get().pnl == Decimal("-33.75")
    assert find() == []


def test_never_twice(first: Poster) -> None:
    assert brought_in().count == 1
    assert import_missing(export_of(FIRST, SECOND), ALPHA, None)[1] is None
    # Nor from another file of the same trades, in another form, with other numbers.
    moved = [Listed(**{**vars(trade), "number": trade.number + 7}) for trade in (SECOND, FIRST)]
    other = read_export(as_xlsx(rows(moved, Form("ja", number=float))), "other.xlsx")
    assert import_missing(other, ALPHA, None)[1] is None
    third = listed(3, "16:00", "17:00", entry_price=Decimal(99))
    assert brought_in(ALPHA, FIRST, SECOND, third).count == 1
    assert Trade.objects.count() == 3


def test_the_database_keeps_to_it_as_well(first: Poster) -> None:
    trade = brought_in().trades.get()
    with pytest.raises(IntegrityError, match="trade_imported_once"):
        copy_of(trade)
    # Alerts may make the like of it.
    post_trade(first, SECOND)


def test_two_at_once_import_once(first: Poster) -> None:
    """Both have found it missing; whoever comes second waits, looks again and finds it."""
    batches: list[ImportBatch | None] = []

    def bring_in() -> None:
        with closing(connections["default"]), closing(connections["wal"]):
            batches.append(import_missing(export_of(FIRST, SECOND), ALPHA, None)[1])

    url = databases_of_this_run()["DATABASE_URL"]
    threads = [threading.Thread(target=bring_in) for _ in range(2)]
    with psycopg.connect(url) as holding, psycopg.connect(url, autocommit=True) as looking:
        book = book_name("Alpha", "BINANCE:BTCUSDT")
        holding.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [book])
        for thread in threads:
            thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while (looking.execute(waiting).fetchone() or [0])[0] < 2:
            assert all(thread.is_alive() for thread in threads)
        holding.commit()
        for thread in threads:
            thread.join()
    assert [batch and batch.count for batch in sorted(batches, key=bool)] == [None, 1]
    assert Trade.objects.count() == 2


def test_what_will_still_come_is_left_out(first: Poster) -> None:
    body = alert(price="123.5", time="2026-01-05T14:30:00Z")
    EntryFactory(body=json.dumps(body).encode())
    comparison, batch = import_missing(export_of(FIRST, SECOND), ALPHA, None)
    assert batch is None and len(comparison.missing_here) == 1


def test_open_trades_are_left_out(first: Poster) -> None:
    still_open = listed(3, "16:00", "17:00", is_open=True)
    assert brought_in(ALPHA, FIRST, SECOND, still_open).count == 1


def test_rows_of_one_lot_come_in_as_one_trade(first: Poster) -> None:
    """Two rows of one entry and exit, alike to the last digit."""
    again = Listed(**{**vars(SECOND), "number": 3})
    batch = brought_in(ALPHA, FIRST, SECOND, again)
    assert (batch.count, batch.trades.get().quantity) == (1, 2)
    assert compare(export_of(FIRST, SECOND, again), ALPHA).is_clean


def test_a_zone_that_is_not_sure_is_to_be_named(post: Poster) -> None:
    post_trade(post, listed(1, "09:00", "10:00", entry_price=Decimal(5)))
    book = Choice("Alpha", "BINANCE:BTCUSDT")
    with pytest.raises(NotComparable, match="time zone of the export cannot be told for sure"):
        import_missing(export_of(FIRST, SECOND), book, None)
    assert not ImportBatch.objects.exists()
    berlin = Choice("Alpha", "BINANCE:BTCUSDT", "Europe/Berlin")
    batch = brought_in(berlin)
    assert batch.trades.latest("entry_time").entry_time == datetime(2026, 1, 5, 13, 30, tzinfo=UTC)


# Undoing.


def test_undoing_takes_out_exactly_the_batch(first: Poster) -> None:
    kept = brought_in()
    before = list(Trade.objects.order_by("id").values())
    third = listed(3, "16:00", "17:00", entry_price=Decimal(99))
    fourth = listed(4, "18:00", "19:00", entry_price=Decimal("98.123456789012345678"))
    batch = brought_in(ALPHA, FIRST, SECOND, third, fourth)
    rows_then = list(batch.trades.order_by("id").values())
    user = User.objects.create_superuser("trader")
    undone = undo(batch.pk, user)
    assert list(Trade.objects.order_by("id").values()) == before
    assert (undone.undone_by, undone.count) == (user, 2)
    assert undone.undone_at is not None
    told = ImportBatch.objects.get(pk=batch.pk).removed
    assert [row["id"] for row in told] == [row["id"] for row in rows_then]
    assert told[1]["entry_price"] == "98.123456789012345678"
    assert told[0]["entry_time"] == "2026-01-05T16:00:00+00:00"
    kept.refresh_from_db()
    assert kept.undone_at is None and kept.removed == []


def test_what_was_undone_may_come_in_again(first: Poster) -> None:
    undo(brought_in().pk, None)
    again = brought_in()
    assert again.trades.count() == 1
    assert ImportBatch.objects.count() == 2


def test_undoing_twice(first: Poster) -> None:
    batch = brought_in()
    undo(batch.pk, None)
    with pytest.raises(NotUndoable, match=f"Import {batch.pk} was undone 20"):
        undo(batch.pk, None)
    with pytest.raises(ImportBatch.DoesNotExist):
        undo(batch.pk + 1, None)


def test_a_corrected_trade_is_not_taken_out(first: Poster) -> None:
    batch = brought_in()
    trade = batch.trades.get()
    user = User.objects.create_superuser("trader")
    correct(trade, user=user, reason="Half of it.", quantity=Decimal("0.5"))
    with pytest.raises(NotUndoable, match=rf"have been corrected.*: {trade.pk}\."):
        undo(batch.pk, user)
    assert Trade.objects.filter(pk=trade.pk).exists()
    batch.refresh_from_db()
    assert batch.undone_at is None


def test_a_late_alert_shows_what_is_twice(first: Poster) -> None:
    """The alert came after all, by a replay; the import is to be undone."""
    batch = brought_in()
    post_trade(first, SECOND)
    (finding,) = find()
    assert finding.kind == "duplicate_trade" and not finding.mendable
    assert f"of import {batch.pk}" in finding.sentence
    undo(batch.pk, None)
    assert find() == []
    assert compare(export_of(FIRST, SECOND), ALPHA).is_clean


def test_what_is_twice_may_be_corrected_to_nothing(first: Poster) -> None:
    """As it must where an import cannot be undone, since one of its trades was corrected."""
    trade = brought_in().trades.get()
    post_trade(first, SECOND)
    user = User.objects.create_superuser("trader")
    correct(trade, user=user, reason="Twice.", quantity=Decimal(0), commission=Decimal(0))
    assert find() == []


def test_the_demos_history_into_an_empty_book(post: Poster) -> None:
    """No trade is here, only an alert that failed; the list brings in all that there were."""
    post(ALERTS.read_text().splitlines()[-1])
    export = read_export(as_csv(rows(demo_list(), Form())), "demo.csv")
    choice = Choice("Monthly pyramid", "BITSTAMP:BTCUSD", "UTC")
    _, batch = import_missing(export, choice, None)
    assert batch is not None and batch.count == 21
    assert Trade.objects.filter(import_batch=batch).count() == 21
    assert not compare(export, choice).missing_here
