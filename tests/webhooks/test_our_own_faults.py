"""A fault of ours: the alert is safe, whoever sent it is told the truth, and others go on."""

from __future__ import annotations

import logging
from typing import NoReturn

import pytest
from django.test import Client

from positions.models import Lot
from tests.alerts import Poster
from tests.environment import TOKEN
from wal.models import Entry
from webhooks import pipeline, settler, views
from webhooks.draining import drain_once
from webhooks.models import WebhookLog
from webhooks.payload import parse
from webhooks.pipeline import settle_through
from webhooks.signal import Signal


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message nobody thought of: reading it fails."""

    def fail_on_it(body: bytes, given_key: str = "") -> Signal:
        if b"unthought-of" in body:
            raise RecursionError(f"with {TOKEN} in hand")
        return parse(body, given_key)

    monkeypatch.setattr("webhooks.reading.parse", fail_on_it)


def error_in(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """The one line that tells of a fault."""
    [line] = [record for record in caplog.records if record.levelno == logging.ERROR]
    return line


def test_what_cannot_be_read_stays_in_the_log(
    post: Poster, unreadable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = post(comment="unthought-of", symbol="OTHER")
    assert (answer.http, answer["status"], answer.code) == (202, "queued", "PROCESSING_ERROR")
    entry = Entry.objects.get(pk=answer["wal_id"])
    assert (entry.status, entry.claimed_by) == ("pending", "")
    assert TOKEN not in entry.last_error
    assert not WebhookLog.objects.exists()
    # Other books go on, and so does this one's next alert.
    assert post()["status"] == "processed"
    assert post(symbol="OTHER", order_id="2")["status"] == "processed"

    assert drain_once() == 0
    monkeypatch.undo()
    assert drain_once() == 1
    assert Lot.objects.filter(symbol="OTHER").count() == 2


def test_what_fails_before_the_append_is_sent_again(
    post: Poster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> NoReturn:
        raise RuntimeError("nobody thought of it")

    monkeypatch.setattr(views, "admit", fail)
    answer = post()
    assert (answer.http, answer["status"], answer.code) == (503, "rejected", "WAL_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "5"
    assert "nobody thought of it" not in str(answer.body)
    assert not Entry.objects.exists()
    line = error_in(caplog)
    assert answer["correlation_id"] in line.getMessage() and line.exc_info


def test_what_fails_after_the_append_is_not_sent_again(
    post: Poster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pipeline, "settler", fail)
    answer = post()
    assert (answer.http, answer["status"], answer.code) == (202, "queued", "PROCESSING_ERROR")
    line = error_in(caplog)
    assert answer["correlation_id"] in line.getMessage() and line.exc_info

    monkeypatch.undo()
    entry = Entry.objects.get(pk=answer["wal_id"])
    assert settle_through(entry, patience=0).log.status == "processed"


def test_what_cannot_be_told_has_its_effect_and_its_answer(
    post: Poster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> NoReturn:
        raise RuntimeError("no such counter")

    monkeypatch.setattr(settler, "observe", fail)
    assert post()["status"] == "processed"
    line = error_in(caplog)
    assert "could not be told" in line.getMessage() and line.exc_info


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options"])
def test_only_posts_are_alerts(databases: None, method: str) -> None:
    answer = getattr(Client(), method)(f"/webhook/{TOKEN}/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "text/html"},
        {"accept": "application/xml;q=0.1"},
        {"accept": ",;="},
        {"content-type": "application/xml"},
        {"content-type": "x" * 5000},
        {"content-type": "multipart/form-data"},
        {"x-http-method-override": "GET"},
    ],
)
def test_no_header_keeps_an_alert_out(post: Poster, headers: dict[str, str]) -> None:
    assert post(headers=headers)["status"] == "processed"
    assert post(path=f"/webhook/{TOKEN}/?format=xml", headers=headers)["status"] == "duplicate"


def test_a_token_in_a_header_that_is_kept_is_cut(post: Poster) -> None:
    post(headers={"Idempotency-Key": f"{TOKEN}-1"})
    assert Entry.objects.get().envelope["given_key"] == "***-1"
    assert TOKEN not in str(list(WebhookLog.objects.values()))
