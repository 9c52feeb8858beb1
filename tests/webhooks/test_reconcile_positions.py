"""`manage.py reconcile_positions`, as a user and a script see it."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from positions.models import Lot, Reconciliation
from tests.alerts import Poster, alert
from tests.commands import in_process, run
from tests.damage import copy_of, tables
from tests.server import databases_of_this_run
from tests.webhooks.test_parking import waited
from tests.webhooks.test_reconcile import ago, log
from trades.models import Trade
from wal.models import Entry
from webhooks.models import WebhookLog
from webhooks.pipeline import settle_through
from webhooks.reading import book_of

reconcile = partial(run, "reconcile_positions")


def told(*options: str) -> tuple[int, dict[str, Any]]:
    status, text = reconcile("--format", "json", *options)
    return status, json.loads(text)


@pytest.fixture
def damaged(post: Poster) -> Trade:
    post()
    post(action="sell", price="110", time="2026-01-05T15:00:00Z")
    trade = Trade.objects.get()
    Trade.objects.update(pnl=99)
    return trade


def test_clean(post: Poster) -> None:
    post()
    assert reconcile() == (0, "Everything adds up.\n")
    assert told() == (0, {"findings": [], "fixed": [], "clean": True, "apart": []})


def test_books_apart_from_tradingview_are_told(post: Poster) -> None:
    """What is right nobody but TradingView knows, so it is no finding."""
    answer = post(market_position="long", market_position_size="3")
    status, text = reconcile()
    assert (status, text.splitlines()[0]) == (0, "Everything adds up.")
    row = [cell.strip() for cell in text.splitlines()[-2].split("  ") if cell.strip()]
    assert row == ["Alpha", "BINANCE:BTCUSDT", "long 3", "long 1", str(answer["webhook_log_id"])]
    assert "--tradingview FILE" in text.splitlines()[-1]
    status, found = told("--strategy", "Alpha")
    assert (status, found["clean"], found["apart"][0]["here"]) == (0, True, "long 1")
    assert told("--fix")[1]["apart"] == found["apart"]


def test_without_fix_nothing_changes(damaged: Trade) -> None:
    before = tables()
    status, text = reconcile()
    assert status == 1
    assert "pnl_does_not_follow" in text
    assert text.endswith("1 finding, of which --fix mends 1.\n")
    assert tables() == before
    assert not Reconciliation.objects.exists()


def test_fix(damaged: Trade) -> None:
    status, text = reconcile("--fix")
    assert status == 0
    record = Reconciliation.objects.get()
    assert text.startswith("Mended:")
    assert f"recorded in reconciliations: {record.pk}." in text
    assert text.endswith("Nothing is left.\n")
    assert Trade.objects.get().pnl == 10
    assert reconcile("--fix") == (0, "Everything adds up.\n")
    assert Reconciliation.objects.count() == 1


def test_json(damaged: Trade) -> None:
    status, found = told()
    assert (status, found["clean"], found["fixed"]) == (1, False, [])
    (finding,) = found["findings"]
    assert (finding["kind"], finding["trades"], finding["mendable"]) == (
        "pnl_does_not_follow",
        [damaged.pk],
        True,
    )
    status, mended = told("--fix")
    assert (status, mended["clean"], mended["findings"]) == (0, True, [])
    (fixed,) = mended["fixed"]
    assert fixed["findings"] == [finding]
    assert fixed["reconciliation"] == Reconciliation.objects.get().pk


def test_what_is_left_is_status_1(damaged: Trade) -> None:
    manual = copy_of(damaged)
    Trade.objects.filter(pk=manual.pk).update(exit_price=150, pnl=50)
    status, found = told("--fix")
    assert status == 1
    assert [finding["kind"] for finding in found["findings"]] == ["trade_without_lot"]
    assert len(found["fixed"]) == 1
    status, text = reconcile("--fix")
    assert status == 1
    assert text.endswith("1 finding; the log does not tell how to mend them.\n")


def test_what_cannot_be_mended_now_is_left_and_not_told_as_mended(databases: None) -> None:
    settle_through(log(alert(action="exit"), received_at=ago(seconds=130)), patience=0)
    waited(63)
    book = book_of(Entry.objects.get())
    # What the log has lost, while a server is at work on its book.
    Entry.objects.all().delete()
    with psycopg.connect(databases_of_this_run()["DATABASE_URL"]) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [book])
        status, text = reconcile("--fix")
        assert (status, "Mended" in text) == (1, False)
        assert text.endswith("1 finding, of which 1 could not be mended now: try it again later.\n")
        status, found = told("--fix")
        assert (status, found["fixed"]) == (1, [])
    status, text = reconcile("--fix")
    assert (status, "Mended" in text) == (0, True)
    assert WebhookLog.objects.get().status == "failed"


def test_one_strategy_alone(damaged: Trade, post: Poster) -> None:
    post(strategy="Beta")
    assert reconcile("--strategy", "Beta")[0] == 0
    assert reconcile("--strategy", "Alpha")[0] == 1


def test_usage(post: Poster) -> None:
    with pytest.raises(CommandError) as unknown:
        call_command("reconcile_positions", "--strategy", "Nobody")
    assert unknown.value.returncode == 2


def test_in_a_process_stdout_is_json_alone(damaged: Trade) -> None:
    ended = in_process("reconcile_positions", "--format", "json")
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["clean"] is False
    assert ended.stderr == ""


def test_in_a_process_usage_is_status_2(post: Poster) -> None:
    ended = in_process("reconcile_positions", "--format", "xml")
    assert ended.returncode == 2
    assert not Lot.objects.exists()
