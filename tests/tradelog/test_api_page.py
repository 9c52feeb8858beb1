"""What the API says of itself, and what it says when something is wrong with us."""

from __future__ import annotations

import json
import socket
import time
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from tests.environment import TOKEN
from tests.factories import LotFactory, TradeFactory, WebhookLogFactory
from tests.server import NOWHERE, Server
from tests.tradelog.api import Reader
from trades.corrections import correct

PATHS = ["alerts", "positions", "strategies", "trades"]


def test_the_schema_is_valid_and_complete(databases: None) -> None:
    out = StringIO()
    call_command(
        "spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", stdout=out
    )
    schema = json.loads(out.getvalue())
    rows = [f"/api/{path}/" for path in PATHS]
    assert set(schema["paths"]) == {*rows, *(f"{path}{{id}}/" for path in rows), "/api/statistics/"}
    for path, operations in schema["paths"].items():
        assert operations.keys() == {"get"}
        assert operations["get"]["responses"].keys() >= {"200", "400", "401", "403", "429", "503"}
        assert {"tokenAuth": []} in operations["get"]["security"]
        assert operations["get"]["summary"], path


def test_the_schema_tells_what_is_answered(api: Reader) -> None:
    schema = api("schema/").body
    alert = WebhookLogFactory(status="processed")
    trade = TradeFactory()
    correct(trade, user=User.objects.get(), reason="x", quantity=Decimal(2))
    LotFactory(trade=trade, status="closed", exit_webhook_log=alert)
    for path in [*PATHS, "statistics"]:
        answer = api(f"{path}/").body
        _check(answer, _schema_of(schema, f"/api/{path}/"), schema)
        if path != "statistics":
            whole = api(f"{path}/{answer['results'][0]['id']}/").body
            _check(whole, _schema_of(schema, f"/api/{path}/{{id}}/"), schema)


def _schema_of(schema: dict[str, Any], path: str) -> dict[str, Any]:
    answer = schema["paths"][path]["get"]["responses"]["200"]
    told: dict[str, Any] = answer["content"]["application/json"]["schema"]
    return told


def _check(value: Any, told: dict[str, Any], schema: dict[str, Any]) -> None:
    """That a value is of the type that the schema tells, with exactly its fields."""
    if value is None:
        assert told.get("nullable"), told
        return
    told = (told.get("allOf") or told.get("oneOf") or [told])[0]
    if "$ref" in told:
        told = schema["components"]["schemas"][str(told["$ref"]).rpartition("/")[2]]
    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    assert type(value) is kinds[told["type"]], (value, told)
    if "properties" in told:
        assert value.keys() == told["properties"].keys()
        assert set(told["required"]) == set(told["properties"])
        for name, each in value.items():
            _check(each, told["properties"][name], schema)
    for each in value if told["type"] == "array" else ():
        _check(each, told["items"], schema)


def test_the_page_is_for_staff(databases: None) -> None:
    client = Client()
    assert client.get("/api/").headers["Location"] == "/api/docs/"
    assert client.get("/api/docs/").headers["Location"] == "/admin/login/?next=/api/docs/"
    client.force_login(User.objects.create_user("visitor"))
    assert client.get("/api/docs/").status_code == 302
    client.force_login(User.objects.create_user("looker", is_staff=True))
    page = client.get("/api/docs/")
    assert page.status_code == 200 and 'data-schema="/api/schema/"' in page.content.decode()
    assert client.get("/api/schema/").status_code == 200
    assert '"/api/docs/"' in client.get("/").content.decode()


def test_its_policy_allows_images_and_nothing_more(staff: Client) -> None:
    def policy(path: str) -> set[str]:
        return set(staff.get(path).headers["Content-Security-Policy"].split("; "))

    assert policy("/api/docs/") - policy("/") == {"img-src 'self' data:"}
    assert policy("/api/trades/") == policy("/admin/") == policy("/")


@pytest.mark.parametrize("path", ["nowhere/", "trades/1/x/", "docs/x/", "trades/x/"])
def test_an_unknown_path(databases: None, path: str) -> None:
    for client in (Reader(None), Reader("x")):
        answer = client(path)
        assert (answer.http, answer.code) == (404, "NOT_FOUND")
        assert answer["correlation_id"] == answer.headers["X-Correlation-ID"]


def test_a_name_that_is_not_ours(databases: None) -> None:
    answer = Client().get("/api/trades/", headers={"host": "trades.example.com"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_PARAMETERS")
    assert "ALLOWED_HOSTS" in answer.json()["error"]["message"]


def test_a_fault_of_ours(databases: None, settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.tradelog.failing_urls"
    answer = Client(raise_request_exception=False).get("/api/fail/broken")
    told = answer.json()
    assert (answer.status_code, told["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert told["correlation_id"] in told["error"]["message"]
    assert TOKEN not in answer.content.decode()


def test_the_database_is_down(databases: None) -> None:
    with Server(DATABASE_URL=NOWHERE) as server:
        for path in ("trades/", "alerts/1/", "statistics/", "schema/"):
            answer = server.get(f"/api/{path}")
            assert (answer.http, answer.code) == (503, "DATABASE_UNAVAILABLE")
            assert answer.headers["Retry-After"] == "5"
            assert "nowhere" not in str(answer.body)
        assert server.get("/api/nowhere/").http == 404
        page = server.page("/api/docs/")
        assert page.status == 503 and "The database is out of reach" in page.text
        assert server.post().http == 202
        assert "Traceback" not in server.output


def test_a_database_that_hangs(databases: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgres://postgres@127.0.0.1:{silent.getsockname()[1]}/tradelog"
        with Server(DATABASE_URL=address) as server:
            begun = time.monotonic()
            assert server.get("/api/trades/").http == 503
            assert time.monotonic() - begun < 5
