"""The main database is out of reach; alerts are taken all the same."""

from __future__ import annotations

import time
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from positions.models import Lot
from tests.commands import in_process
from tests.environment import TOKEN
from tests.server import NOWHERE, Server
from wal.models import Entry
from webhooks.models import WebhookLog


def test_alerts_are_queued_and_applied_in_order_later(databases: None) -> None:
    with Server(DATABASE_URL=NOWHERE) as server:
        begun = time.monotonic()
        answers = [
            server.post(),
            server.post(action="exit", price="110", time="2026-01-05T15:00:00Z"),
            server.post(symbol="OTHER"),
        ]
        assert time.monotonic() - begun < 9, "three answers, each within TradingView's 3 seconds"
        assert [(answer.http, answer["status"], answer.code) for answer in answers] == [
            (202, "queued", "DATABASE_UNAVAILABLE")
        ] * 3
        assert server.post(path="/webhook/wrong/").http == 401
        ready = server.get("/health/ready")
        assert (ready.http, ready["parts"]["log"]) == (503, "ok")
        assert ready["parts"]["database"].startswith("unavailable")
        assert server.get("/health/live").http == 200
    assert list(Entry.objects.values_list("status", flat=True)) == ["pending"] * 3
    assert not WebhookLog.objects.exists()

    call_command("replay_wal", stdout=StringIO())
    assert list(Entry.objects.values_list("status", flat=True)) == ["completed"] * 3
    assert sorted(Lot.objects.values_list("symbol", "status")) == [
        ("BINANCE:BTCUSDT", "closed"),
        ("OTHER", "open"),
    ]


def test_what_can_never_be_applied_is_told_so_at_once(databases: None) -> None:
    tokens = {"WEBHOOK_TOKENS": f"bound:{TOKEN}:Beta"}
    with Server(DATABASE_URL=NOWHERE, **tokens) as server:
        unread, foreign = server.post(strategy="Beta", price="NaN"), server.post()
        assert (unread.http, unread["status"], unread.code) == (400, "rejected", "INVALID_PAYLOAD")
        assert list(unread["error"]["fields"]) == ["price"]
        assert (foreign.http, foreign.code) == (403, "STRATEGY_NOT_ALLOWED")
        assert server.post(strategy="Beta").code == "DATABASE_UNAVAILABLE"
    assert list(Entry.objects.values_list("status", flat=True)) == ["pending"] * 3

    with pytest.raises(SystemExit):
        call_command("replay_wal", stdout=StringIO())
    assert list(WebhookLog.objects.order_by("wal_id").values_list("wal_id", "error_code")) == [
        (unread["wal_id"], "INVALID_PAYLOAD"),
        (foreign["wal_id"], "STRATEGY_NOT_ALLOWED"),
        (Lot.objects.get().entry_webhook_log.wal_id, ""),
    ]


@pytest.mark.parametrize(
    "left", [timedelta(seconds=-1), timedelta(hours=1)], ids=["over", "from a clock put back since"]
)
def test_a_running_server_drains_what_was_left(server: Server, left: timedelta) -> None:
    """An entry that a dead process had claimed is applied without anybody asking."""
    server.post()
    Lot.objects.all().delete()
    WebhookLog.objects.all().delete()
    Entry.objects.update(
        status="processing",
        claimed_by="gone",
        claimed_until=timezone.now() + left,
        settled_at=None,
        webhook_log_id=None,
    )
    server.wait_until(Entry.objects.filter(status="completed").exists)
    assert Lot.objects.count() == 1


def test_replay_says_why_it_stops(databases: None) -> None:
    """Through the command as people run it, in a process of its own."""
    with Server(DATABASE_URL=NOWHERE) as server:
        server.post()
    ended = in_process("replay_wal", DATABASE_URL=NOWHERE)
    assert ended.returncode == 1
    assert "stays in the log: DATABASE_UNAVAILABLE" in ended.stdout
