"""`manage.py prune`: what goes, what stays, and that nobody notices."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from django.core.management import CommandError
from django.utils import timezone

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.commands import in_process, run
from tests.damage import tables
from tests.factories import EntryFactory, StrategyFactory
from tests.server import ROOT, databases_of_this_run
from trades.models import Strategy, Trade
from wal.models import Entry, Refusal
from webhooks import trail
from webhooks.models import WebhookLog
from webhooks.pruning import Pruned, paused, prune
from webhooks.reconcile import find, mend
from webhooks.replay import Choice, replay

command = partial(run, "prune")

#: Prunes in batches of one, and is killed on its n-th call of a function.
KILLED = """
import os, signal, sys
import django
django.setup()
from django.utils import timezone
from importlib import import_module
module, name, calls = import_module(sys.argv[1]), sys.argv[2], int(sys.argv[3])
original = getattr(module, name)
def counted(*args):
    global calls
    calls -= 1
    if not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args)
setattr(module, name, counted)
import_module("webhooks.pruning").prune(timezone.now(), batch=1)
"""


def make_old(days: float = 91) -> None:
    """Let everything have come in that long ago."""
    then = timezone.now() - timedelta(days=days)
    Entry.objects.update(received_at=then)
    WebhookLog.objects.update(received_at=then, processed_at=then)
    Refusal.objects.update(refused_at=then)


def statuses() -> list[str]:
    return sorted(Entry.objects.values_list("status", flat=True))


@pytest.fixture
def history(post: Poster) -> None:
    """A trade, its duplicate, two rejected alerts and a failed one, all of them old."""
    StrategyFactory(name="Off", enabled=False)
    post()
    post()
    post(action="sell", price="110", time="2026-01-05T15:00:00Z")
    assert post(action="nonsense").code == "INVALID_PAYLOAD"
    assert post("no JSON").code == "INVALID_JSON"
    assert post(strategy="Off").code == "STRATEGY_DISABLED"
    Refusal.objects.create(refused_at=timezone.now(), token_name="tradingview")
    make_old()
    assert statuses() == ["completed"] * 2 + ["duplicate"] + ["failed"] * 3
    assert find() == []


def test_what_explains_no_trade_goes(history: None) -> None:
    trades = tables()["trades"]
    lots = tables()["lots"]
    status, told = command()
    assert status == 0
    assert "6 log entries, 2 rejected alerts, 1 refusal by rate." in told
    assert not Entry.objects.exists()
    assert not Refusal.objects.exists()
    assert sorted(WebhookLog.objects.values_list("status", flat=True)) == [
        "failed",
        "processed",
        "processed",
    ]
    assert (tables()["trades"], tables()["lots"]) == (trades, lots)
    assert len(trades) == 1
    assert find() == []
    assert "0 log entries, 0 rejected alerts, 0 refusals by rate." in command()[1]


def test_what_is_young_stays(history: None, post: Poster) -> None:
    post(action="nonsense")
    Refusal.objects.create(refused_at=timezone.now(), token_name="tradingview")
    assert "0 log entries, 0 rejected alerts, 0 refusals" in command("--older-than", "92")[1]
    assert "6 log entries, 2 rejected alerts, 1 refusal" in command("--older-than", "90")[1]
    assert statuses() == ["failed"]
    assert WebhookLog.objects.filter(status="rejected").count() == 1
    assert Refusal.objects.count() == 1


def test_what_still_wants_something_stays_however_old(post: Poster) -> None:
    assert post(action="exit")["status"] == "parked"
    EntryFactory(status="pending", body=json.dumps(alert(symbol="P")).encode())
    EntryFactory(status="processing", body=json.dumps(alert(symbol="Q")).encode())
    make_old()
    assert prune(timezone.now()) == Pruned()
    assert statuses() == ["parked", "pending", "processing"]
    assert WebhookLog.objects.get().status == "parked"


def test_dry_run_counts_the_same_and_changes_nothing(history: None) -> None:
    Entry.objects.filter(status="duplicate").update(webhook_log_id=987654)  # It will stay.
    before = Entry.objects.count(), WebhookLog.objects.count(), Refusal.objects.count()
    cut_off = timezone.now() - timedelta(days=90)
    counted = prune(cut_off, dry_run=True)
    assert counted == Pruned(entries=5, alerts=2, refusals=1, kept=1)
    assert command("--dry-run")[1].startswith("Would delete")
    assert (Entry.objects.count(), WebhookLog.objects.count(), Refusal.objects.count()) == before
    assert prune(cut_off) == counted


def test_the_only_record_of_an_alert_stays_until_it_is_mended(post: Poster) -> None:
    """The main database was replaced by an older one: the log alone knows of the alert."""
    post()
    Lot.objects.all().delete()
    WebhookLog.objects.all().delete()
    make_old()
    status, told = command()
    assert status == 1
    assert "1 settled log entry of which webhook_logs does not tell the same" in told
    _, left = mend()
    assert left == []
    assert Lot.objects.count() == 1
    assert command()[0] == 0
    assert not Entry.objects.exists()


def test_an_alert_stays_as_long_as_its_log_entry(history: None) -> None:
    """Its mark was lost: applied again, the entry must find its row."""
    _, second = WebhookLog.objects.filter(status="rejected").order_by("id")
    Entry.objects.filter(correlation_id=second.correlation_id).update(status="pending")
    assert prune(timezone.now()).alerts == 1
    assert list(WebhookLog.objects.filter(status="rejected")) == [second]
    assert [one.outcome.log for one in replay(Choice()) if one.outcome] == [second]
    assert prune(timezone.now()).alerts == 1
    assert find() == []


def test_the_trail_holds_afterwards(post: Poster) -> None:
    for _ in range(5):
        post("no JSON")
    third = WebhookLog.objects.order_by("id")[2]
    post()
    assert prune(third.received_at, batch=1).alerts == 2
    assert list(trail.verify()) == []
    assert prune(timezone.now(), batch=2).alerts == 3
    assert list(trail.verify()) == []
    post("no JSON")
    post(time="2026-01-05T15:00:00Z")
    assert list(trail.verify()) == []


def test_an_alert_that_a_lot_points_to_stays(post: Poster) -> None:
    post()
    WebhookLog.objects.update(status="rejected", error_code="INVALID_PAYLOAD", chain="-")
    Entry.objects.update(status="failed")
    make_old()
    found = [finding.kind for finding in find()]
    assert prune(timezone.now()).alerts == 0
    assert [finding.kind for finding in find()] == found
    assert "lot_without_alert" in found


def test_nothing_is_applied_twice_afterwards(history: None, post: Poster) -> None:
    # The mark of an entry that had its effect was lost with the power.
    Entry.objects.filter(pk=Entry.objects.filter(status="completed")[0].pk).update(status="pending")
    lots = tables()["lots"]
    prune(timezone.now())
    assert statuses() == ["pending"]
    replayed = list(replay(Choice()))
    assert [one.is_settled_well for one in replayed] == [True]
    assert post()["status"] == "duplicate"
    assert post(action="sell", price="110", time="2026-01-05T15:00:00Z")["status"] == "duplicate"
    assert tables()["lots"] == lots
    assert (Lot.objects.count(), Trade.objects.count()) == (1, 1)
    assert find() == []


@pytest.mark.parametrize(
    ("module", "function", "call", "entries", "rejected"),
    [
        ("wal.retention", "forget", 4, 3, 2),
        ("webhooks.pruning", "_forget_refused", 1, 0, 2),
        ("webhooks.pruning", "_forget_refused", 2, 0, 1),
    ],
)
def test_killed_midway_leaves_nothing_to_find(
    history: None, module: str, function: str, call: int, entries: int, rejected: int
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, module, function, str(call)],
        cwd=ROOT,
        env={**os.environ, **databases_of_this_run()},
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert Entry.objects.count() == entries
    assert WebhookLog.objects.filter(status="rejected").count() == rejected
    assert find() == []
    command()
    assert not Entry.objects.exists()
    assert not WebhookLog.objects.filter(status="rejected").exists()
    assert find() == []


def test_a_backup_holds_up_rejected_alerts(history: None) -> None:
    """The log was copied with their entries; webhook_logs is about to be."""
    url = databases_of_this_run()["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as looking, ThreadPoolExecutor(1) as pruning:
        with paused():
            pruned = pruning.submit(in_process, "prune")
            while not looking.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                assert not pruned.done(), pruned.result()
            assert not Entry.objects.exists()
            assert WebhookLog.objects.filter(status="rejected").count() == 2
        assert pruned.result().returncode == 0
    assert not WebhookLog.objects.filter(status="rejected").exists()


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "soon", "36501", ""])
def test_nonsense_is_refused(databases: None, days: str) -> None:
    with pytest.raises(CommandError, match="no number of days from 1 to 36500"):
        command(f"--older-than={days}")
    with pytest.raises(CommandError, match="no number of rows"):
        command("--batch=0")


def test_nonsense_is_status_2_in_a_process(history: None) -> None:
    ended = in_process("prune", "--older-than", "0")
    assert ended.returncode == 2
    assert "'0' is no number of days from 1 to 36500" in ended.stderr
    assert "Traceback" not in ended.stderr
    # What a setting may be is checked before.
    assert in_process("prune", RETENTION_DAYS="0").returncode == 1
    assert Entry.objects.count() == 6
    assert Strategy.objects.count() == 2
