"""Who may read the API: tokens, sessions, permissions, and how guessing ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests.environment import TOKEN
from tests.factories import TradeFactory
from tests.leaks import leaks
from tests.server import Server
from tests.tradelog.api import Reader, staff_who_may, token_of
from tradelog.models import ApiToken

ROWS = ["trades/", "positions/", "alerts/", "strategies/"]
EVERYTHING = [*ROWS, "statistics/", "schema/"]


@pytest.mark.parametrize("path", [*EVERYTHING, "trades/1/"])
def test_nothing_without_a_credential(databases: None, path: str) -> None:
    answer = Reader(None)(path)
    assert (answer.http, answer.code) == (401, "NOT_AUTHENTICATED")
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert answer["correlation_id"] == answer.headers["X-Correlation-ID"]
    assert answer["error"]["fields"] == {}


@pytest.mark.parametrize(
    "header", ["Token x", "Token", "Token a b", "Token \xff", f"Token {TOKEN}"]
)
def test_a_wrong_token(databases: None, header: str) -> None:
    cache.clear()
    reader = Reader(None)
    reader.headers = {"Authorization": header}
    answer = reader("trades/")
    assert (answer.http, answer.code) == (401, "INVALID_TOKEN")


def test_a_webhook_token_is_none_of_the_apis_nor_the_other_way(
    api: Reader, databases: None
) -> None:
    token = api.headers["Authorization"].removeprefix("Token ")
    refused = Client().post(f"/webhook/{token}/", "{}", content_type="text/plain")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "INVALID_TOKEN")


def test_a_token_ends(databases: None) -> None:
    cache.clear()
    user = User.objects.create_superuser("reader")
    now = datetime.now(UTC)
    over = Reader(token_of(user, expires_at=now))
    valid = Reader(token_of(user, expires_at=now + timedelta(days=1)))
    for_ever = Reader(token_of(user))
    assert [reader("trades/").http for reader in (over, valid, for_ever)] == [401, 200, 200]
    ApiToken.objects.filter(expires_at=None).delete()
    assert for_ever("trades/").code == "INVALID_TOKEN"
    User.objects.update(is_active=False)
    assert valid("trades/").code == "INVALID_TOKEN"
    User.objects.update(is_active=True, is_staff=False)
    assert valid("trades/").http == 403
    # Reading changes nothing: what has ended is still there to be looked at.
    assert ApiToken.objects.count() == 2


def test_a_session_will_do(databases: None) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    assert client.get("/api/trades/").status_code == 200
    client.logout()
    assert client.get("/api/trades/").status_code == 401


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("trades/", "trades.view_trade"),
        ("positions/", "positions.view_lot"),
        ("alerts/", "webhooks.view_webhooklog"),
        ("strategies/", "trades.view_strategy"),
        ("statistics/", "trades.view_trade"),
    ],
)
def test_each_path_asks_for_its_permission(databases: None, path: str, permission: str) -> None:
    cache.clear()
    reader = Reader(token_of(staff_who_may(permission)))
    allowed = [path for path in EVERYTHING if reader(path).http == 200]
    assert path in allowed and "schema/" in allowed
    assert len(allowed) == (3 if permission == "trades.view_trade" else 2)
    refused = Reader(token_of(staff_who_may(name="nobody")))(path)
    assert (refused.http, refused.code) == (403, "NOT_PERMITTED")
    assert permission in refused["error"]["message"]


def test_who_is_not_staff_reads_nothing(databases: None) -> None:
    reader = Reader(token_of(User.objects.create_user("visitor")))
    for path in EVERYTHING:
        answer = reader(path)
        assert (answer.http, answer.code) == (403, "NOT_PERMITTED")
        assert "staff status" in answer["error"]["message"]


def test_guessing_is_throttled(databases: None, one_window: None) -> None:
    cache.clear()
    right, wrong = Reader(token_of(User.objects.create_superuser("reader"))), Reader("guess")
    answers = [wrong("trades/") for _ in range(22)]
    assert [answer.http for answer in answers] == [401] * 20 + [429] * 2
    assert answers[-1].code == "RATE_LIMITED"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 300
    # A guess that is right is not looked at either.
    assert right("trades/").http == 429
    elsewhere = right.client.get("/api/trades/", headers=right.headers, REMOTE_ADDR="203.0.113.9")
    assert elsewhere.status_code == 200
    right.client.force_login(User.objects.get())
    right.headers = {}
    assert right("trades/").http == 200


def test_right_tokens_are_not_counted(api: Reader) -> None:
    assert {api("trades/").http for _ in range(30)} == {200}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", [*EVERYTHING, "trades/1/"])
def test_nothing_is_written(api: Reader, path: str, method: str) -> None:
    TradeFactory(id=1)
    session = Client()
    session.force_login(User.objects.get())
    for client, headers in ((api.client, api.headers), (session, {}), (Client(), {})):
        answer = getattr(client, method)(f"/api/{path}", headers=headers)
        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", EVERYTHING)
def test_what_may_be_asked(api: Reader, path: str) -> None:
    assert api.client.head(f"/api/{path}", headers=api.headers).status_code == 200
    assert api.client.options(f"/api/{path}", headers=api.headers).status_code == 200
    assert api.client.options(f"/api/{path}").status_code == 401
    assert (
        "no-store" in api.client.get(f"/api/{path}", headers=api.headers).headers["Cache-Control"]
    )


def test_no_credential_is_kept_or_logged(databases: None) -> None:
    token = token_of(User.objects.create_superuser("reader"))
    wrong = "wrong-0123456789abcdef"
    with Server(LOG_LEVEL="DEBUG") as server:
        for header in (f"Token {token}", f"Token {wrong}", f"Bearer {wrong}"):
            server.page("/api/trades/", headers={"Authorization": header})
        # Not where it belongs, but people do.
        server.page(f"/api/trades/?token={token}")
        server.page(f"/api/nowhere/?token={token}", headers={"Authorization": f"Token {token}"})
        output = server.output
    assert token not in output and wrong not in output
    assert leaks(token) == leaks(wrong) == []
    cache.clear()
