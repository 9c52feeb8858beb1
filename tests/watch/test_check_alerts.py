"""`manage.py check_alerts`, as a user, a script and cron see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from chores import sole
from tests.factories import RefusalFactory, TradeFactory, WebhookLogFactory
from tests.server import ROOT, databases_of_this_run
from tests.watch.receiving import Receiver
from trades.models import Trade
from watch.models import Alarm, Notice
from watch.watching import CHORE, Watch


@contextmanager
def beside_a_server() -> Iterator[None]:
    """As while a server keeps watch."""
    with sole(CHORE) as is_ours:
        assert is_ours()
        yield


def check(*options: str) -> tuple[int, str]:
    """Its exit status and what it prints."""
    out = StringIO()
    try:
        call_command("check_alerts", *options, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def refuse() -> None:
    RefusalFactory(refused_at=datetime.now(UTC))


def test_all_is_well(databases: None) -> None:
    assert check() == (0, "Everything is as it should be.\n")
    status, told = check("--format", "json")
    assert (status, json.loads(told)) == (0, {"firing": [], "clean": True})


def test_something_is_not(databases: None, receiver: Receiver) -> None:
    refuse()
    status, told = check()
    assert status == 1
    assert "Alerts with a valid token were refused by rate once" in " ".join(told.split())
    assert told.endswith("1 thing not as it should be; 1 told.\n")
    assert len(receiver.taken()) == 1
    status, told = check("--format", "json")
    (firing,) = json.loads(told)["firing"]
    assert (status, firing["rule"], firing["strategy"]) == (1, "rate", "")
    assert firing["since"] == Alarm.objects.get().fired_at.isoformat()
    assert receiver.taken() == []


@pytest.mark.parametrize("where", [nullcontext, beside_a_server])
def test_nobody_is_told(
    databases: None, settings: Settings, where: Callable[[], AbstractContextManager[None]]
) -> None:
    settings.ALERT_URLS = ""
    refuse()
    with where():
        status, told = check()
        assert status == 1
        assert told.endswith("; nobody is told: ALERT_URLS is empty.\n")
        settings.ALERT_URLS = "nosuch://x"
        assert check()[1].endswith("; nobody is told: ALERT_URLS cannot be read.\n")


def test_who_sends_is_not_said_where_nobody_does(
    databases: None, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ALERT_URLS = ""
    with beside_a_server():
        call_command("check_alerts")
    assert capsys.readouterr().err == "A server keeps watch; this only looks.\n"


def test_alarms_are_called_as_their_page_calls_them(databases: None, receiver: Receiver) -> None:
    WebhookLogFactory.create_batch(
        5, status="failed", received_at=datetime.now(UTC), processed_at=datetime.now(UTC)
    )
    assert "\nalerts refused  " in check()[1]
    (firing,) = json.loads(check("--format", "json")[1])["firing"]
    assert firing["rule"] == "failures"


def test_who_was_not_reached_is_not_counted_as_told(
    databases: None, receiver: Receiver, settings: Settings
) -> None:
    settings.ALERT_URLS = f"{receiver.url}, json://127.0.0.1:1"
    receiver.status = 500
    refuse()
    assert check()[1].endswith(
        "; 0 told, 2 not reached yet (json, entry 1 of ALERT_URLS, json, entry 2 of ALERT_URLS).\n"
    )
    receiver.status = 200
    Notice.objects.update(next_try_at=datetime.now(UTC))
    told = check()[1]
    assert told.endswith("; 1 told, 1 not reached yet (json, entry 2 of ALERT_URLS).\n")


def test_beside_a_server_it_only_shows(databases: None, receiver: Receiver) -> None:
    refuse()
    with beside_a_server():
        status, told = check()
    assert status == 1 and "refused by rate" in told
    assert told.endswith("1 thing not as it should be; the server tells.\n")
    assert receiver.taken() == []
    assert not Alarm.objects.exists()


def test_what_adds_up_again_is_over_at_once(databases: None, receiver: Receiver) -> None:
    TradeFactory()
    assert check("--reconcile")[0] == 1
    assert [heard.title for heard in receiver.taken()] == ["tradelog: does not add up of Alpha"]
    assert check()[0] == 1, "nobody has looked again"
    Trade.objects.all().delete()
    assert check("--reconcile")[0] == 0
    assert [heard.title for heard in receiver.taken()] == [
        "tradelog: over: does not add up of Alpha"
    ]


def test_beside_a_server_what_reconciling_finds_is_kept_for_it(
    databases: None, receiver: Receiver
) -> None:
    refuse()
    TradeFactory()
    with beside_a_server():
        assert check("--reconcile")[0] == 1
        assert [alarm.rule for alarm in Alarm.objects.all()] == ["reconciliation"]
        Trade.objects.all().delete()
        check("--reconcile")
    assert Alarm.objects.get().cleared_at is not None
    assert receiver.taken() == []
    Watch().look()
    assert [heard.title for heard in receiver.taken()] == [
        "tradelog: does not add up of Alpha",
        "tradelog: over: does not add up of Alpha",
        "tradelog: refused by rate",
    ]


def test_a_test_message_to_each(receiver: Receiver, settings: Settings) -> None:
    settings.ALERT_URLS = f"{receiver.url}, nosuch://x, json://127.0.0.1:1"
    status, told = check("--test")
    assert status == 1
    assert told.splitlines() == [
        "entry 2 of ALERT_URLS: cannot be read",
        "json, entry 1 of ALERT_URLS: delivered",
        "json, entry 3 of ALERT_URLS: not delivered: it could not be reached, or refused",
    ]
    assert [heard.title for heard in receiver.taken()] == ["tradelog: a test"]
    settings.ALERT_URLS = receiver.url
    assert check("--test") == (0, "json, entry 1 of ALERT_URLS: delivered\n")


@pytest.mark.parametrize(
    ("options", "urls"),
    [(["--test"], ""), (["--follow", "--format", "json"], "json://x")],
)
def test_usage(databases: None, settings: Settings, options: list[str], urls: str) -> None:
    settings.ALERT_URLS = urls
    with pytest.raises(CommandError) as error:
        check(*options)
    assert error.value.returncode == 2


def test_it_follows(databases: None, receiver: Receiver) -> None:
    environment: dict[str, Any] = {
        **os.environ, **databases_of_this_run(), "ALERT_URLS": receiver.url,
        "ALERT_EVERY_SECONDS": "0.1",
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "manage.py", "check_alerts", "--follow"], cwd=ROOT, env=environment,
        stdout=subprocess.PIPE, text=True,
    ) as following:  # fmt: skip
        try:
            refuse()
            (heard,) = receiver.wait_for(1)
            assert heard.title == "tradelog: refused by rate"
            assert following.stdout is not None
            assert "UTC: alarm: Alerts with a valid token" in following.stdout.readline()
            following.terminate()
            assert following.wait(timeout=20) == 0
        finally:
            following.kill()
