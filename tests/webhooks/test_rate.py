"""Rates: strangers are kept off, and an alert that is refused is delayed and remembered."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path

import pytest
from django.core.cache import caches
from django_ratelimit.core import _get_window
from pytest_django import Settings

from addresses import counted_as
from tests.alerts import Poster, alert
from tests.environment import TOKEN
from tests.server import NOWHERE, Server
from wal import refusals
from wal.models import Entry, Refusal
from wal.writer import writer


@pytest.fixture
def rate(settings: Settings, one_window: None) -> Settings:
    settings.WEBHOOK_RATE = settings.WEBHOOK_TOKEN_RATE = "3/h"
    return settings


@pytest.fixture
def full(post: Poster, settings: Settings) -> Poster:
    """Posts alerts of which every one is over the rate."""
    settings.WEBHOOK_TOKEN_RATE = "0/h"
    return post


def refused() -> list[Refusal]:
    """What has been recorded, once the writer has come to it."""
    writer().submit(lambda: None, durable=False).result(timeout=10)
    return list(Refusal.objects.order_by("id"))


def test_over_the_rate_a_valid_token_gets_503_to_be_sent_again(
    post: Poster, rate: Settings
) -> None:
    answers = [post(order_id=str(number)) for number in range(5)]
    assert [answer.http for answer in answers] == [200, 200, 200, 503, 503]
    assert (answers[3]["status"], answers[3].code) == ("rejected", "RATE_LIMITED")
    assert answers[3].headers["Retry-After"] == "5"
    assert Entry.objects.count() == 3


def test_over_the_rate_a_stranger_gets_429(post: Poster, rate: Settings) -> None:
    answers = [post(path="/webhook/wrong/") for _ in range(5)]
    assert [answer.http for answer in answers] == [401, 401, 401, 429, 429]
    assert answers[3].code == "RATE_LIMITED"
    assert 0 < int(answers[3].headers["Retry-After"]) <= 3600


def test_strangers_do_not_use_up_the_traders_share(post: Poster, rate: Settings) -> None:
    for _ in range(5):
        post(path="/webhook/wrong/")
        post(path="/webhook/", token="wrong")
    assert post()["status"] == "processed"


def test_a_token_in_the_body_has_the_traders_share(post: Poster, rate: Settings) -> None:
    assert [post(path="/webhook/", token=TOKEN, order_id=str(n)).http for n in range(4)][3] == 503


def test_losing_count_lets_alerts_through(
    post: Poster, settings: Settings, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "tradelog.counters.SharedCounters",
            "LOCATION": str(tmp_path / "gone" / "counters.lmdb"),
        }
    }
    assert post()["status"] == "processed"
    assert "could not be counted" in caplog.text


def test_the_rate_holds_across_processes(databases: None) -> None:
    caches["default"].clear()
    with Server(WEBHOOK_RATE=f"20/{_hours_that_last()}h", WORKERS="2") as server:
        statuses = [server.post(order_id=str(number)).http for number in range(30)]
    assert statuses == [200] * 20 + [503] * 10
    caches["default"].clear()


def _hours_that_last() -> int:
    """A number of hours whose window does not end while a server is asked.

    Its processes have a clock of their own, so what they count cannot be held to one window.
    """
    now = time.time()
    return next(
        hours
        for hours in range(1, 100)
        if _get_window(counted_as("127.0.0.1"), 3600 * hours) > now + 600
    )


def test_the_traders_rate_is_a_setting_of_its_own(post: Poster, rate: Settings) -> None:
    rate.WEBHOOK_TOKEN_RATE = "5/h"
    assert [post(order_id=str(number)).http for number in range(6)] == [200] * 5 + [503]
    assert [post(path="/webhook/wrong/").http for _ in range(4)] == [401] * 3 + [429]


@pytest.mark.parametrize(("rate", "lost"), [("2/5s", 0), ("2/h", 6)])
def test_a_burst_is_delayed_if_the_rate_is_written_for_five_seconds(
    post: Poster, settings: Settings, monkeypatch: pytest.MonkeyPatch, rate: str, lost: int
) -> None:
    settings.WEBHOOK_TOKEN_RATE = rate
    waiting = [str(number) for number in range(8)]
    begun = int(time.time())
    for repeat in (0, 5, 10, 15):  # As TradingView sends what got a 503.
        # The first window begins now, so that the time of day does not decide which is the last.
        monkeypatch.setattr(
            "django_ratelimit.core._get_window",
            lambda value, period, passed=repeat: begun + (passed // period + 1) * period,
        )
        waiting = [order for order in waiting if post(order_id=order).http == 503]
    assert len(waiting) == lost


def test_a_refused_alert_is_recorded(full: Poster, caplog: pytest.LogCaptureFixture) -> None:
    answer = full(strategy="Alpha 2", comment="nobody keeps this")
    assert (answer.http, answer.headers["Retry-After"]) == (503, "5")
    [refusal] = refused()
    assert (refusal.book, refusal.token_name, refusal.address) == (
        "Alpha 2\x1fBINANCE:BTCUSDT",
        "tradingview",
        "127.0.0.1",
    )
    assert "nobody keeps this" not in str(vars(refusal))
    [line] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "'Alpha 2'" in line.getMessage() and "'BINANCE:BTCUSDT'" in line.getMessage()
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    ("body", "book"),
    [
        (json.dumps(alert(price="NaN")), "Alpha\x1fBINANCE:BTCUSDT"),
        (json.dumps(alert(strategy=None)), "BINANCE:BTCUSDT\x1fBINANCE:BTCUSDT"),
        (json.dumps(alert(symbol=None)), "Alpha\x1f"),
        (json.dumps(alert(strategy=["a", "list"], symbol="BTC")), "\x1fBTC"),
        (json.dumps({"action": "buy"}), ""),
        ("buy BTC", ""),
        ("\0\xff", ""),
        ("", ""),
    ],
)
def test_recorded_as_far_as_it_can_be_read(full: Poster, body: str, book: str) -> None:
    assert full(body).http == 503
    assert [refusal.book for refusal in refused()] == [book]


def test_recorded_however_large_it_is(full: Poster) -> None:
    assert full(b"x" * 70_000).http == 503
    assert [refusal.book for refusal in refused()] == [""]


def test_strangers_are_not_recorded(full: Poster, settings: Settings) -> None:
    settings.WEBHOOK_RATE = "0/h"
    assert full(path="/webhook/wrong/").http == 429
    assert refused() == []


@pytest.mark.parametrize("path", [f"/webhook/{TOKEN}/", "/webhook/"])
def test_no_token_is_recorded(full: Poster, caplog: pytest.LogCaptureFixture, path: str) -> None:
    full(path=path, strategy=f"posted to {TOKEN}", symbol=TOKEN, token=TOKEN)
    [refusal] = refused()
    assert refusal.book == "posted to ***\x1f***"
    assert TOKEN not in str(vars(refusal)) and TOKEN not in caplog.text


def test_recorded_with_the_main_database_down(databases: None) -> None:
    caches["default"].clear()
    with Server(DATABASE_URL=NOWHERE, WEBHOOK_TOKEN_RATE="1/h") as server:
        assert [server.post(order_id=str(number)).http for number in range(3)] == [202, 503, 503]
        server.wait_until(lambda: Refusal.objects.count() == 2)
        assert "Refused by rate" in server.output
    assert {refusal.book for refusal in Refusal.objects.all()} == {"Alpha\x1fBINANCE:BTCUSDT"}
    caches["default"].clear()


def test_what_the_log_does_not_take_is_told_and_forgotten(
    full: Poster, caplog: pytest.LogCaptureFixture
) -> None:
    refusals.record(book=None, token_name="tradingview", address="")  # type: ignore[arg-type]
    assert refused() == []
    assert "A refusal could not be recorded: NOT NULL" in caplog.text
    assert full().http == 503
    assert len(refused()) == 1


def test_records_do_not_pile_up(full: Poster) -> None:
    let_go = threading.Event()
    writer().submit(let_go.wait, durable=False)
    for _ in range(1100):
        refusals.record(book="", token_name="tradingview", address="")
    let_go.set()
    assert len(refused()) == 1000
    assert full().http == 503
    assert len(refused()) == 1001
