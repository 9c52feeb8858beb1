"""Alerts do not pass Django's handler and middleware, and miss nothing by it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import structlog
from django.http import HttpRequest
from django.test import Client, RequestFactory, override_settings

from tests.alerts import AlertClient, Poster, alert
from tests.environment import TOKEN
from tests.server import Server
from tradelog.alert_way import respond, take_alert
from wal.models import Entry

#: What a page has besides, and who sends alerts could make nothing of.
FOR_BROWSERS = {"Content-Security-Policy", "X-Frame-Options", "Vary"}

REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "an alert": ("POST", f"/webhook/{TOKEN}/", {}),
    "without the last slash": ("POST", f"/webhook/{TOKEN}", {}),
    "a token in a header": ("POST", "/webhook/", {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}),
    "a token nowhere": ("POST", "/webhook", {}),
    "a wrong token": ("POST", "/webhook/yesterdays-token/", {}),
    "a browser": ("GET", "/webhook/", {}),
    "what a browser asks first": ("OPTIONS", f"/webhook/{TOKEN}/", {}),
    "a path too deep": ("POST", f"/webhook/{TOKEN}/more/", {}),
    "two slashes": ("POST", "/webhook//", {}),
    "a host that is not ours": ("POST", f"/webhook/{TOKEN}/", {"HTTP_HOST": "evil.example"}),
    "no host": ("POST", f"/webhook/{TOKEN}/", {"HTTP_HOST": "a b"}),
    "a token of many alphabets": ("POST", "/webhook/%C3%BC%E2%82%AC/", {}),
}


@pytest.mark.parametrize(("method", "path", "extra"), REQUESTS.values(), ids=REQUESTS.keys())
def test_an_answer_is_what_django_would_have_made_it(
    databases: None, method: str, path: str, extra: dict[str, Any]
) -> None:
    def ask(client: Client, order_id: str) -> tuple[int, dict[str, str], dict[str, Any]]:
        body = json.dumps(alert(order_id=order_id))
        answer = client.generic(method, path, body, "application/json", **extra)
        told = answer.json()
        assert answer.headers["X-Correlation-ID"] == told.pop("correlation_id")
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name not in {"X-Correlation-ID", "Content-Length"} | FOR_BROWSERS
        }
        # Two alerts: another id each, and the second one adds to what the first one opened.
        for name in ("webhook_log_id", "wal_id", "position_id", "action"):
            told.pop(name, None)
        return answer.status_code, headers, told

    assert ask(AlertClient(), "1") == ask(Client(), "2")


@override_settings(ALLOWED_HOSTS=["tradelog.example"])
def test_an_alert_for_another_host_is_not_taken(databases: None) -> None:
    path, message = f"/webhook/{TOKEN}/", json.dumps(alert())
    refused = AlertClient().post(path, message, "application/json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "BAD_REQUEST")
    assert not Entry.objects.exists()
    taken = AlertClient().post(path, message, "application/json", HTTP_HOST="tradelog.example")
    assert taken.status_code == 200


def test_the_server_is_told_status_headers_and_body(databases: None) -> None:
    environ = RequestFactory().post("/webhook/", b"{}", "application/json").environ
    told: list[Any] = []
    body = b"".join(take_alert(environ, lambda *start: told.append(start)))
    ((status, headers),) = told
    assert status == "401 Unauthorized"
    assert dict(headers)["Content-Length"] == str(len(body))
    assert json.loads(body)["correlation_id"] == dict(headers)["X-Correlation-ID"]


def request_for_nothing() -> HttpRequest:
    return RequestFactory().post("/webhook/yesterdays-token/", b"", "text/plain")


def test_lines_before_and_after_are_not_about_the_alert(databases: None) -> None:
    structlog.contextvars.bind_contextvars(symbol="of the request before")
    seen: list[dict[str, Any]] = []

    class Seeing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(structlog.contextvars.get_contextvars())

    library = logging.getLogger("django_structlog.middlewares.request")
    library.addHandler(seeing := Seeing())
    try:
        answer = respond(request_for_nothing())
    finally:
        library.removeHandler(seeing)
    (line,) = seen
    assert line == {
        "correlation_id": answer["X-Correlation-ID"],
        "error_code": "INVALID_TOKEN",
    }
    assert structlog.contextvars.get_contextvars() == {}


def test_at_debug_requests_are_told_from_their_start_on(
    databases: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "django_structlog.middlewares.request"):
        answer = respond(request_for_nothing())
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [line["event"] for line in told] == ["request_started", "request_finished"]
    assert {line["correlation_id"] for line in told[1:]} == {answer["X-Correlation-ID"]}
    assert "request_id" not in told[1]
    caplog.clear()
    with caplog.at_level(logging.INFO, "django_structlog.middlewares.request"):
        respond(request_for_nothing())
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [line["event"] for line in told] == ["request_finished"]


def test_nothing_stays_bound_after_an_alert_that_went_well(post: Poster) -> None:
    assert post()["status"] == "processed"
    assert structlog.contextvars.get_contextvars() == {}


def test_a_server_has_alerts_go_this_way_and_nothing_else(server: Server) -> None:
    taken, page = server.post(), server.page("/webhooks-of-another-service/")
    assert (taken["status"], page.status) == ("processed", 404)
    assert not any(name in taken.headers for name in FOR_BROWSERS)
    assert "Content-Security-Policy" in page.headers
