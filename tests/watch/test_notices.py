"""What is told, to whom, how often, and what becomes of it when a receiver is down."""

from __future__ import annotations

import html
import logging
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.telegram import NotifyTelegram
from pytest_django import Settings

from tests.commands import in_process
from tests.factories import RefusalFactory, StrategyFactory, WebhookLogFactory
from tests.leaks import leaks
from tests.server import ROOT, databases_of_this_run
from tests.watch.receiving import SECRET, Receiver
from watch import outbox
from watch.models import Alarm, Notice
from watch.receivers import Message, receivers, send
from watch.watching import Watch

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(microsecond=0)


def refuse() -> None:
    """Something that fires for a while."""
    RefusalFactory(refused_at=NOW)


def drift(strategy: str) -> None:
    StrategyFactory(name=strategy)
    WebhookLogFactory(strategy=strategy, status="processed", drift=True, received_at=NOW)


def test_what_fires_at_once_is_one_message(watch: Watch, receiver: Receiver) -> None:
    drift("Alpha")
    drift("Beta")
    refuse()
    watch.look(NOW + MINUTE)
    (heard,) = receiver.taken()
    assert heard.title == "tradelog: drift of Alpha and 2 more"
    first, *lines = heard.text.splitlines()
    assert first == "Not as it should be:"
    assert [line[:29] for line in lines] == [
        "- 1 alert of Alpha drifted in", "- 1 alert of Beta drifted in ",
        "- Alerts with a valid token w",
    ]  # fmt: skip
    (notice,) = Notice.objects.all()
    assert notice.alarms.count() == 3
    assert (notice.fate, notice.undelivered) == ("delivered", [])


def test_an_alarm_that_goes_on_is_told_again(
    watch: Watch, receiver: Receiver, settings: Settings
) -> None:
    settings.ALERT_WINDOW_MINUTES = 10_000
    refuse()
    watch.look(NOW + MINUTE)
    assert len(receiver.taken()) == 1
    watch.look(NOW + 12 * HOUR)
    assert receiver.taken() == []
    watch.look(NOW + 12 * HOUR + MINUTE)
    watch.look(NOW + 12 * HOUR + 2 * MINUTE)
    (heard,) = receiver.taken()
    assert heard.title == "tradelog: still refused by rate"
    assert heard.text.startswith(
        "Still so:\n- Alerts with a valid token were refused by rate once "
    )
    assert heard.text.endswith(f"(since {NOW + MINUTE:%Y-%m-%d %H:%M} UTC)")
    settings.ALERT_REMINDER_HOURS = 0
    watch.look(NOW + 99 * HOUR)
    assert receiver.taken() == []


def test_what_comes_and_goes_is_one_alarm(watch: Watch, receiver: Receiver) -> None:
    refuse()
    seen, gone = NOW + MINUTE, NOW + 3 * HOUR
    for moment in (seen, gone, seen + MINUTE, gone + HOUR, gone + HOUR + MINUTE, seen + 2 * MINUTE):
        watch.look(moment)
    assert len(receiver.taken()) == 1
    assert Alarm.objects.get().cleared_at is None


def test_a_restart_tells_nothing_twice(watch: Watch, receiver: Receiver) -> None:
    refuse()
    watch.look(NOW + MINUTE)
    assert len(receiver.taken()) == 1
    for minutes in (2, 3):
        Watch().look(NOW + minutes * MINUTE)
    assert receiver.taken() == []


def test_a_receiver_that_was_down_gets_it_later(
    watch: Watch, receiver: Receiver, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with Receiver() as other:
        settings.ALERT_URLS = f"{other.url},{receiver.url}"
        receiver.status = 503
        refuse()
        watch.look(NOW + MINUTE)
        watch.look(NOW + MINUTE + timedelta(seconds=29))
        assert (len(other.taken()), receiver.refused) == (1, 1)
        (notice,) = Notice.objects.all()
        assert notice.fate == "waits for its delivery"
        assert notice.trouble == "json, entry 2 of ALERT_URLS: it answered 503"
        assert f"Notice {notice.pk} was not delivered to {notice.trouble}" in caplog.text
        watch.look(NOW + MINUTE + timedelta(seconds=30))
        watch.look(NOW + MINUTE + timedelta(seconds=89))
        assert receiver.refused == 2, "twice as long each time"
        receiver.status = 200
        watch.look(NOW + MINUTE + timedelta(seconds=90))
        watch.look(NOW + 10 * MINUTE)
        assert (len(other.taken()), len(receiver.taken())) == (0, 1)
    notice.refresh_from_db()
    assert notice.fate == "delivered"


def test_one_that_never_comes_back_is_given_up(watch: Watch, receiver: Receiver) -> None:
    receiver.status = 500
    refuse()
    watch.look(NOW + MINUTE)
    watch.look(NOW + 24 * HOUR)
    assert Notice.objects.get(title__startswith="tradelog: refused").done_at is None
    watch.look(NOW + 26 * HOUR)
    assert Notice.objects.get(title__startswith="tradelog: refused").fate == "given up"


def test_nobody_to_tell_now_is_somebody_to_tell_later(
    watch: Watch, receiver: Receiver, settings: Settings
) -> None:
    url, settings.ALERT_URLS = settings.ALERT_URLS, ""
    refuse()
    watch.look(NOW + MINUTE)
    assert Alarm.objects.get().told_at is None
    assert not Notice.objects.exists()
    settings.ALERT_URLS = url
    watch.look(NOW + 2 * MINUTE)
    assert len(receiver.taken()) == 1


def test_a_mark_that_was_lost_costs_a_second_message_and_none_is_lost(
    watch: Watch, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse()

    def die(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "_mark", die)
        with pytest.raises(KeyboardInterrupt):
            watch.look(NOW + MINUTE)
    Watch().look(NOW + 2 * MINUTE)
    Watch().look(NOW + 3 * MINUTE)
    assert len(receiver.taken()) == 2


def test_two_processes_send_one_message(databases: None, receiver: Receiver) -> None:
    refuse()
    environment = {**os.environ, **databases_of_this_run(), "ALERT_URLS": receiver.url}
    looking = [
        subprocess.Popen(
            [sys.executable, "manage.py", "check_alerts"], cwd=ROOT, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in looking:
        told = process.communicate(timeout=60)[0].decode()
        assert process.returncode == 1, told
        assert "refused by rate once" in " ".join(told.split())
    assert len(receiver.taken()) == 1


def test_what_is_old_is_forgotten(watch: Watch, receiver: Receiver) -> None:
    refuse()
    watch.look(NOW + MINUTE)
    watch.look(NOW + 3 * HOUR)
    watch.look(NOW + 4 * HOUR)
    assert (Alarm.objects.count(), Notice.objects.count()) == (1, 2)
    RefusalFactory(refused_at=NOW + timedelta(days=91))
    watch.look(NOW + timedelta(days=91) + MINUTE)
    assert (Alarm.objects.count(), Notice.objects.count()) == (1, 1)


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_secret_of_a_receiver_is_told(
    databases: None, receiver: Receiver, settings: Settings, level: str
) -> None:
    receiver.status = 401
    refuse()
    urls = [
        receiver.url,
        f"json://{SECRET}@127.0.0.1:1/{SECRET}",
        f"nosuch://{SECRET}/{SECRET}",
        f"{SECRET}://x",
        f"mailto://{SECRET}",
        SECRET,
    ]
    for options in (["--test"], [], ["--format", "json"]):
        done = in_process(
            "check_alerts", *options, ALERT_URLS=",".join(reversed(urls)), LOG_LEVEL=level
        )
        assert done.returncode == 1
        assert SECRET not in done.stdout + done.stderr
    assert receiver.refused == 2
    assert "answered 401" in Notice.objects.get().trouble
    assert leaks(SECRET) == []


def test_what_is_too_long_for_a_service_comes_in_parts(
    receiver: Receiver, settings: Settings
) -> None:
    """Apprise sends 32 KiB at once to `json://`, and without being told so all the rest as well."""
    words = [f"{number:05}" for number in range(10_000)]
    (known,) = receivers()
    assert send(known, Message("tradelog", " ".join(words))) == ""
    heard = receiver.taken()
    assert len(heard) == 2
    assert " ".join(each.text for each in heard).split() == words
    # Or as its URL says.
    settings.ALERT_URLS = f"{receiver.url}?overflow=truncate"
    (known,) = receivers()
    assert send(known, Message("tradelog", " ".join(words))) == ""
    assert len(receiver.taken()) == 1


def test_telegram_takes_no_word_of_ours_for_its_markup(
    receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent HTML; an alert of any name could put links into the trader's alarms."""
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"http://127.0.0.1:{receiver.port}/bot")
    settings.ALERT_URLS = f"tgram://123456789:{SECRET}{'a' * 12}/12345"
    (known,) = receivers()
    told = Message("entry of <b>", 'P&L of <a href="http://example.com">Log in</a>\nis <i>0</i>')
    assert send(known, told) == ""
    (heard,) = receiver.taken()
    assert re.findall("<[^>]*>", heard.text) == ["<b>", "</b>"], "its own, around the title"
    shown = html.unescape(re.sub("</?b>", "", heard.text))
    assert shown.split("\r\n") == [told.title, *told.body.split("\n")]


def test_a_trouble_of_apprise_itself_tells_no_secret(
    watch: Watch,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*args: object, **kwargs: object) -> bool:
        raise RuntimeError(f"cannot reach {receiver.url}")

    monkeypatch.setattr(NotifyJSON, "send", fail)
    caplog.set_level(logging.DEBUG)
    refuse()
    watch.look(NOW + MINUTE)
    assert "it failed (RuntimeError)" in caplog.text
    assert SECRET not in caplog.text
    assert leaks(SECRET) == []
