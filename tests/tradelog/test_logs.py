"""Log lines: JSON or console, with the ids of what they are about, without tokens."""

from __future__ import annotations

import json
import logging
import logging.config
from io import StringIO
from typing import Any

import pytest
import structlog

from tests.alerts import Poster
from tests.environment import TOKEN
from tests.server import Server
from tradelog.logs import configuration
from wal.models import Entry
from webhooks.models import WebhookLog


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
    assert refusal["correlation_id"] == refused["correlation_id"]
    assert refusal["request"] == "POST /webhook/***/"


def test_an_error_of_ours_is_told_with_its_code(
    post: Poster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("webhooks.applying.net", fail)
    assert post().code == "PROCESSING_ERROR"
    (record,) = (line for line in caplog.records if line.exc_info)
    assert record.__dict__["error_code"] == "PROCESSING_ERROR"
    assert not WebhookLog.objects.exists()
