"""A book is corrected while alerts of it come in."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction

from positions.findings import Finding
from positions.models import Lot, Reconciliation
from tests.alerts import Poster, alert
from tests.commands import run
from tests.damage import copy_of
from tests.webhooks.test_reconcile import ago, log
from trades.corrections import correct
from trades.models import Trade
from webhooks import book_mending
from webhooks.applying import apply
from webhooks.models import WebhookLog
from webhooks.reading import read
from webhooks.reconcile import find, mend
from webhooks.signal import book_name
from webhooks.standing import lock_book
from webhooks.wanted import Wanted

ALPHA = ("Alpha", "BINANCE:BTCUSDT")
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"

ANY_WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


def test_what_is_being_applied_to_a_book_is_waited_for(post: Poster) -> None:
    """The lot is wrong, and an exit closes a part of it before it is mended."""
    post()
    Lot.objects.update(quantity=5)
    left: list[object] = []

    def mend_it() -> None:
        with closing(connections["default"]), closing(connections["wal"]):
            left.append(mend()[1])

    mending = threading.Thread(target=mend_it)
    leaving = alert(action="sell", price="110", time="2026-01-05T15:00:00Z")
    entry = log(leaving, received_at=ago(seconds=1))
    with transaction.atomic(), connection.cursor() as cursor:
        lock_book(book_name("Alpha", "BINANCE:BTCUSDT"))
        mending.start()
        while not cursor.execute(WAITING).fetchone()[0]:
            assert mending.is_alive(), "it did not wait"
        apply([Wanted(entry, read(entry))])
        assert WebhookLog.objects.latest("id").action == "reduced"
    mending.join()
    assert left == [[]]
    assert find() == []
    assert WebhookLog.objects.latest("id").action == "closed"
    assert Lot.objects.get().status == "closed"
    assert Trade.objects.get().pnl == 10


@pytest.fixture
def duplicate(post: Poster) -> Trade:
    """A trade of Alpha's once more, and one of Beta's with a wrong P&L."""
    for strategy in ("Alpha", "Beta"):
        post(strategy=strategy)
        post(strategy=strategy, action="sell", price="110", time="2026-01-05T15:00:00Z")
    Trade.objects.filter(strategy__name="Beta").update(pnl=99)
    copy: Trade = copy_of(Trade.objects.get(strategy__name="Alpha"))
    return copy


@pytest.fixture
def user(databases: None) -> User:
    return User.objects.create_superuser("trader")


def test_what_somebody_corrected_is_not_deleted(duplicate: Trade, user: User) -> None:
    correct(duplicate, user=user, reason="Filled lower.", exit_price=Decimal(109))
    (mended,), (left,) = mend()
    assert mended.strategy == "Beta"
    assert (left.kind, left.trades[0], left.mendable) == ("duplicate_trade", duplicate.pk, False)
    assert "It was corrected, so --fix leaves it" in left.sentence
    assert Trade.objects.get(strategy__name="Beta").pnl == 10
    # Its commission would still count.
    never, cost = Decimal(0), Decimal(1)
    correct(duplicate, user=user, reason="It is there twice.", quantity=never, commission=cost)
    assert [one.kind for one in find()] == ["duplicate_trade"]
    correct(duplicate, user=user, reason="It cost nothing.", commission=never)
    assert mend() == ([], [])
    assert Trade.objects.filter(pk=duplicate.pk).exists()


def test_what_is_being_corrected_is_waited_for(
    duplicate: Trade, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    """The correction comes between looking and mending."""
    left: list[Finding] = []

    def mend_it() -> None:
        with closing(connections["default"]), closing(connections["wal"]):
            left.extend(mend()[1])

    mending = threading.Thread(target=mend_it)
    with transaction.atomic(), connection.cursor() as cursor:
        correct(duplicate, user=user, reason="Filled lower.", exit_price=Decimal(109))
        mending.start()
        while not cursor.execute(ANY_WAITING).fetchone()[0]:
            assert mending.is_alive(), "it did not wait"
    mending.join()
    assert [one for one in caplog.records if one.exc_info] == [], "taken for a fault of ours"
    assert [(one.kind, one.mendable) for one in left] == [("duplicate_trade", False)]
    assert Trade.objects.get(strategy__name="Beta").pnl == 10


def test_our_own_fault_in_one_book_leaves_the_others(
    duplicate: Trade, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def failing(strategy: str, symbol: str, found: Iterable[Finding]) -> Reconciliation | None:
        tried.append((strategy, symbol))
        if tried[-1] == ALPHA:
            raise ZeroDivisionError
        return book_mending.mend_book(strategy, symbol, found)

    monkeypatch.setattr("webhooks.reconcile.mend_book", failing)
    status, text = run("reconcile_positions", "--fix")
    assert status == 1
    assert "Left:" in text and "duplicate_trade" in text
    assert Trade.objects.get(strategy__name="Beta").pnl == 10
    assert tried.count(ALPHA) == 1
    (record,) = [one for one in caplog.records if one.exc_info]
    assert "The book of Alpha on BINANCE:BTCUSDT could not be mended" in record.getMessage()
