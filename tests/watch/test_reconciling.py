"""Reconciling, when it is done, and what is told where it fails."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from tests.factories import RefusalFactory, TradeFactory
from tests.out_of_reach import main_database_away, without_table
from tests.watch.moments import NOW
from tests.watch.receiving import Receiver
from trades.models import Trade
from watch.models import Alarm
from watch.watching import Watch

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_what_does_not_add_up_is_found_at_an_interval_of_its_own(
    watch: Watch, receiver: Receiver, settings: Settings
) -> None:
    settings.ALERT_RECONCILE_HOURS = 24
    watch.look(NOW)
    orphan = TradeFactory(created_at=NOW)
    watch.look(NOW + HOUR)
    assert receiver.taken() == [], "it was reconciled an hour ago"
    watch.look(NOW + 25 * HOUR)
    (heard,) = receiver.taken()
    assert heard.title == "tradelog: does not add up of Alpha"
    assert f"Trade {orphan.pk} (long 1 BINANCE:BTCUSDT, P&L 1 USD) comes from no position." in (
        heard.text
    )
    Trade.objects.all().delete()
    watch.look(NOW + 25 * HOUR + 30 * MINUTE)
    assert Alarm.objects.get().quiet_since is None, "nobody has looked again"
    assert receiver.taken() == [], "it is looked at once an hour while it fires"
    watch.look(NOW + 26 * HOUR + MINUTE)
    assert [heard.title for heard in receiver.taken()] == [
        "tradelog: over: does not add up of Alpha"
    ]


def test_a_reconciliation_that_fails_is_told_and_the_others_are_asked(
    watch: Watch, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ValueError("a row nobody expected")

    monkeypatch.setattr("watch.facts.find", fail)
    RefusalFactory(refused_at=NOW)
    watch.look(NOW + MINUTE, reconcile=True)
    (heard,) = receiver.taken()
    assert "Reconciling failed (ValueError)" in heard.text
    assert "refused by rate once" in heard.text


def test_a_database_that_answers_with_an_error_is_not_out_of_reach(
    watch: Watch, receiver: Receiver
) -> None:
    with without_table("default", "open_positions"):
        watch.look(NOW, reconcile=True)
    (heard,) = receiver.taken()
    assert heard.title == "tradelog: does not add up"
    assert "Reconciling failed (ProgrammingError)" in heard.text


def test_nor_is_one_that_cut_us_off(
    watch: Watch, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_cut_off() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr("watch.facts.find", be_cut_off)
    watch.look(NOW, reconcile=True)
    (heard,) = receiver.taken()
    assert "Reconciling failed (OperationalError)" in heard.text


def test_one_that_goes_away_meanwhile_is(
    watch: Watch, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as away:

        def go_away() -> None:
            away.enter_context(main_database_away())
            connection.ensure_connection()

        monkeypatch.setattr("watch.facts.find", go_away)
        watch.look(NOW, reconcile=True)
    (heard,) = receiver.taken()
    assert heard.title == "tradelog: main database out of reach"
    assert "Reconciling failed" not in heard.text
