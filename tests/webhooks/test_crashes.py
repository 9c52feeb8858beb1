"""The process is killed between each pair of steps; the log brings back what it took in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.server import ROOT, databases_of_this_run
from trades.models import Trade
from wal.models import Entry
from webhooks.models import WebhookLog

#: In the order in which taking an exit reaches them.
STEPS = [
    pytest.param("webhooks.waiting:read", id="appended, not parsed"),
    pytest.param("webhooks.settler:apply", id="parsed, not applied"),
    pytest.param("webhooks.applying:look", id="transaction begun"),
    pytest.param("positions.open_lots:net", id="book locked, lots read"),
    pytest.param("webhooks.applying:write_trades", id="netted"),
    pytest.param("webhooks.trail:record", id="trade inserted"),
    pytest.param("webhooks.applying:write_lots", id="row in webhook_logs asked for"),
    pytest.param("django.db.backends.postgresql.base:DatabaseWrapper._commit", id="uncommitted"),
    pytest.param("webhooks.settler:_marks", id="committed, not settled"),
]


def crash(step: str, message: dict[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.crashing", step, json.dumps(message)],
        cwd=ROOT,
        env={**os.environ, **databases_of_this_run()},
        capture_output=True,
        timeout=30,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def replay() -> str:
    output = StringIO()
    call_command("replay_wal", stdout=output)
    return output.getvalue()


@pytest.mark.parametrize("step", STEPS)
def test_killed_between_two_steps(post: Poster, step: str) -> None:
    post()
    crash(step, alert(action="exit", price="110", time="2026-01-05T15:00:00Z"))

    taken = Entry.objects.latest("id")
    assert (taken.status, taken.attempts) == ("processing", 1)

    replay()
    for _ in range(2):  # The second time there is nothing left to do.
        assert Trade.objects.get().pnl == Decimal(10)
        lot = Lot.objects.get()
        assert (lot.status, lot.trade_id) == ("closed", Trade.objects.get().pk)
        log = WebhookLog.objects.get(correlation_id=taken.correlation_id)
        assert (log.status, log.action, log.trade_id) == ("processed", "closed", lot.trade_id)
        taken.refresh_from_db()
        assert (taken.status, taken.webhook_log_id) == ("completed", log.pk)
        assert replay().startswith("0 alerts")


def test_killed_alert_sent_again_is_one_effect(post: Poster) -> None:
    """TradingView's own retry meets the entry that the dead process left."""
    crash("webhooks.settler:_marks", alert())
    again = post()
    # Waiting for the dead one's claim to end may take longer than a request may.
    assert again["status"] in ("duplicate", "queued")
    replay()
    assert Lot.objects.count() == 1
    assert sorted(Entry.objects.values_list("status", flat=True)) == ["completed", "duplicate"]
