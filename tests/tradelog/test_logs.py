"""Log lines: JSON or console, with the ids of what they are about, without tokens."""

from __future__ import annotations

import json
import logging
import logging.config
import uuid
from io import StringIO
from typing import Any

import pytest
import structlog
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from tests.alerts import Poster, alert
from tests.environment import TOKEN
from tests.server import Server
from tradelog.logs import configuration
from wal.models import Entry
from wal.writer import writer
from webhooks.credentials import configured_tokens
from webhooks.frontdoor import Delivery
from webhooks.models import WebhookLog
from webhooks.pipeline import receive


class Lines:
    """A logger of its own, set up as the service's."""

    def __init__(self, lines: str) -> None:
        self._written = StringIO()
        told = configuration(level="INFO", lines=lines)
        formatter = told["formatters"]["line"]
        handler = logging.StreamHandler(self._written)
        handler.setFormatter(
            formatter["()"](
                processors=formatter["processors"],
                foreign_pre_chain=formatter["foreign_pre_chain"],
            )
        )
        self.logger = logging.Logger("a.module")
        self.logger.addHandler(handler)

    @property
    def text(self) -> str:
        return self._written.getvalue()

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


def test_what_is_bound_stands_on_every_line() -> None:
    lines = Lines("json")
    with structlog.contextvars.bound_contextvars(correlation_id="an id", strategy="Alpha"):
        lines.logger.warning("%s is %s", "this", "so", extra={"error_code": "INVALID_JSON"})
    lines.logger.info("nothing is bound")
    first, second = lines.objects
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "this is so", "level": "warning", "logger": "a.module", "strategy": "Alpha",
        "correlation_id": "an id", "error_code": "INVALID_JSON",
    }  # fmt: skip
    assert "correlation_id" not in second


def test_lines_for_people_are_the_librarys_own() -> None:
    formatter = configuration(level="INFO", lines="console")["formatters"]["line"]
    ours = formatter["processors"][-1]
    its = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
    told = {
        "event": "Alert parked", "timestamp": "2026-11-28T18:00:00.000001Z", "logger": "a.module",
        "plain": "S1", "spaced": "two words", "empty": "", "quoted": "it's", "named": "a=b",
        "number": 7, "nothing": None, "fields": {"price": "no number"}, "broken": "a\nb\tc",
        "stack": "Stack (most recent call last):",
    }  # fmt: skip
    for level in ("debug", "info", "warning", "error", "critical"):
        line = {**told, "level": level}
        assert ours(None, level, dict(line)) == its(None, level, dict(line))
    assert ours(None, "info", {"event": "alone"}) == its(None, "info", {"event": "alone"})
    try:
        raise ValueError("of a test")
    except ValueError:
        line = {**told, "level": "error", "exc_info": True}
        assert ours(None, "error", dict(line)) == its(None, "error", dict(line))


@pytest.mark.parametrize("lines_", ["json", "console"])
def test_nobody_writes_a_line_of_their_own(lines_: str) -> None:
    """An error line that was never written, a terminal that is cleared, a name read backwards."""
    forged = "x\n2026-11-28T18:00:00Z [error] All is lost\x1b[2J\x9b\u2028y\u202ez"
    lines = Lines(lines_)
    lines.logger.warning("Refused: %s", forged, extra={"strategy": "A\u202eB\x1b[2J"})
    (line,) = lines.text.splitlines()
    assert line.isprintable()


def test_a_stranger_cannot_write_into_the_log(databases: None) -> None:
    """Django decodes a header's `boundary*`, and quotes it in what it says is wrong with it."""
    forged = "x%0a2026-11-28T18:00:00Z%20[error]%20All%20is%20lost%1b[2J"
    with Server() as server:
        headers = {
            "Content-Type": f"multipart/form-data; boundary*=utf-8''{forged}",
            "Cookie": f"csrftoken={'a' * 32}",
        }
        assert server.page("/admin/login/", form={"a": "b"}, headers=headers).status == 400
        told = server.wait_for_line("All is lost")
    (line,) = (line for line in told.split("\n") if "All is lost" in line)
    assert "Invalid boundary" in line and line.isprintable()


def test_what_no_request_brought_leaves_nothing_bound(databases: None) -> None:
    delivery = Delivery(json.dumps(alert()).encode(), configured_tokens()[0], "127.0.0.1", "")
    receive(delivery, correlation_id=uuid.uuid4(), received_at=timezone.now())
    assert structlog.contextvars.get_contextvars() == {}


def test_a_stack_trace_tells_no_local_variable() -> None:
    lines = Lines("json")
    secret = "the value of a local variable"
    try:
        raise ValueError(len(secret))
    except ValueError:
        lines.logger.exception("It failed")
    (line,) = lines.objects
    (trace,) = line["exception"]
    assert (trace["exc_type"], trace["exc_value"]) == ("ValueError", str(len(secret)))
    assert trace["frames"][-1]["name"] == "test_a_stack_trace_tells_no_local_variable"
    assert secret not in lines.text


@pytest.mark.parametrize("format_", ["json", "console"])
def test_no_line_holds_a_token(format_: str) -> None:
    lines = Lines(format_)
    try:
        raise ValueError(f"no such path: /webhook/{TOKEN}/")
    except ValueError:
        lines.logger.exception("GET /webhook/%s/", TOKEN, extra={"told": {"token": TOKEN}})
    assert "/webhook/***/" in lines.text
    assert TOKEN not in lines.text


def test_a_servers_lines_tell_their_request_and_its_entry(databases: None) -> None:
    with Server(LOG_FORMAT="json", LOG_LEVEL="INFO") as server:
        answer = server.post()
        refused = server.post(path="/webhook/yesterdays-token-0123456789/")
        server.post(symbol="OTHER")
        Entry.objects.filter(pk=answer["wal_id"]).update(status="pending", webhook_log_id=None)
        told = server.wait_for_line("Settled 1 entries")
    objects = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    live, other, replayed = (line for line in objects if line["event"] == "Alert processed")
    assert live["correlation_id"] == answer["correlation_id"]
    assert (live["wal_id"], live["webhook_log_id"], live["action"]) == (
        answer["wal_id"], answer["webhook_log_id"], "opened",
    )  # fmt: skip
    assert (live["strategy"], live["symbol"]) == ("Alpha", "BINANCE:BTCUSDT")
    assert other["symbol"] == "OTHER"
    bound = ("correlation_id", "wal_id", "webhook_log_id", "strategy", "symbol")
    assert [replayed[name] for name in bound] == [live[name] for name in bound]
    (refusal,) = (line for line in objects if line.get("code") == 401)
    assert refusal["error_code"] == "INVALID_TOKEN"
    assert refusal["correlation_id"] == refused["correlation_id"]
    assert refusal["request"] == "POST /webhook/***/"


def test_a_requests_last_line_tells_its_entry_too(databases: None) -> None:
    with Server(LOG_FORMAT="json", WORKERS="1", PARK_SECONDS="0") as server:
        failed = server.post(action="exit")
        server.page("/webhook/")
        lines = server.wait_for_line('"code": 405').splitlines()
    objects = [json.loads(line) for line in lines if line.startswith("{")]
    last, after = (line for line in objects if line["event"] == "request_finished")
    assert (last["correlation_id"], last["wal_id"]) == (failed["correlation_id"], failed["wal_id"])
    assert (last["strategy"], last["symbol"]) == ("Alpha", "BINANCE:BTCUSDT")
    assert (last["code"], last["error_code"]) == (422, "NO_OPEN_POSITION")
    assert not {"wal_id", "strategy", "symbol"} & after.keys(), "it is another request's"


def bound_lines(caplog: pytest.LogCaptureFixture, text: str) -> list[dict[str, Any]]:
    """What was bound while lines that begin with the text were written, and added to them."""
    return [record.__dict__ for record in caplog.records if record.getMessage().startswith(text)]


@pytest.fixture
def with_bound(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Records hold what is bound while they are made, as written lines do."""

    def note(record: logging.LogRecord) -> bool:
        record.__dict__.update(structlog.contextvars.get_contextvars())
        return True

    caplog.handler.addFilter(note)
    caplog.set_level(logging.INFO)
    return caplog


def test_an_exit_that_is_let_through_has_its_own_line(
    post: Poster, with_bound: pytest.LogCaptureFixture
) -> None:
    parked = post(action="exit", time=None)
    entry = post(time=None)
    (line,) = bound_lines(with_bound, "Alert processed, which had been parked")
    assert (line["wal_id"], line["correlation_id"], line["strategy"], line["symbol"]) == (
        parked["wal_id"], parked["correlation_id"], "Alpha", "BINANCE:BTCUSDT",
    )  # fmt: skip
    (own,) = (
        line for line in bound_lines(with_bound, "Alert processed") if "which" not in line["msg"]
    )
    assert (own["wal_id"], own["webhook_log_id"]) == (entry["wal_id"], entry["webhook_log_id"])


def test_a_refusal_by_rate_tells_its_book(
    post: Poster, settings: Settings, with_bound: pytest.LogCaptureFixture
) -> None:
    settings.WEBHOOK_TOKEN_RATE = "0/h"
    answer = post()
    (line,) = bound_lines(with_bound, "Refused by rate")
    assert (line["correlation_id"], line["strategy"], line["symbol"]) == (
        answer["correlation_id"], "Alpha", "BINANCE:BTCUSDT",
    )  # fmt: skip


def test_what_the_writer_says_stands_under_who_asked(
    databases: None, with_bound: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("on purpose")

    with structlog.contextvars.bound_contextvars(correlation_id="an id"):
        done = writer().submit(fail, durable=False)
    assert isinstance(done.exception(timeout=10), RuntimeError)
    (line,) = bound_lines(with_bound, "A write to the log failed")
    assert line["correlation_id"] == "an id"


def test_a_log_that_cannot_be_written_is_told_with_its_code(
    post: Poster, with_bound: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("disk I/O error")

    monkeypatch.setattr("wal.statements.append", fail)
    answer = post()
    assert answer.code == "WAL_UNAVAILABLE"
    (line,) = bound_lines(with_bound, "The log cannot be written: disk I/O error")
    assert (line["error_code"], line["correlation_id"]) == (
        "WAL_UNAVAILABLE", answer["correlation_id"],
    )  # fmt: skip


def test_an_error_of_ours_is_told_with_its_code(
    post: Poster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("positions.open_lots.net", fail)
    assert post().code == "PROCESSING_ERROR"
    (record,) = (line for line in caplog.records if line.exc_info)
    assert record.__dict__["error_code"] == "PROCESSING_ERROR"
    assert not WebhookLog.objects.exists()
