"""A book is corrected while alerts of it come in."""

from __future__ import annotations

import threading
from contextlib import closing

from django.db import connection, connections, transaction

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.webhooks.test_reconcile import ago, log
from trades.models import Trade
from webhooks.applying import apply
from webhooks.models import WebhookLog
from webhooks.reading import read
from webhooks.reconcile import find, mend
from webhooks.signal import book_name
from webhooks.standing import lock_book
from webhooks.wanted import Wanted

WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"


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
