"""Tokens are sent in every place a token can be, and found in none where one may not lie."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.core.cache import caches

from tests.alerts import alert
from tests.factories import RefusalFactory, StrategyFactory
from tests.hostile.sending import Hostile, Sender
from tests.leaks import leaks
from tests.server import NOWHERE, Server
from wal.models import Entry, Refusal
from webhooks.credentials import CUT

#: One token as `make serve` makes them, and one with all that is written differently
#: in JSON, in addresses and in patterns.
PLAIN = f"plain-{token_hex(12)}"
ODD = f'o/d+d="\\é.*${token_hex(12)}'


HEADERS = (
    "Idempotency-Key", "User-Agent", "Referer", "Cookie", "X-Forwarded-For", "Host", "Origin",
    "X-Correlation-ID", "Content-Type", "Accept", "X-Request-ID",
)  # fmt: skip


def bodies(token: str) -> Iterator[bytes]:
    """Messages that hold the token, as an order, as none, and as no JSON at all."""
    for field in ("token", "key", "secret", "passphrase", "api_token", "API-Token"):
        yield json.dumps(alert(order_id=field, **{field: token})).encode()
    for box in ("data", "strategy", "order"):
        yield json.dumps({box: alert(token=token, order_id=box), "list": [token, [token]]}).encode()
    for field in ("strategy", "symbol", "comment", "order_id", "currency", "interval", "nonce"):
        yield json.dumps(alert(**{field: f"a {token}"[:99]})).encode()
    for field in ("action", "price", "quantity", "time", "is_test", "market_position", "pnl"):
        yield json.dumps(alert(**{field: token})).encode()
    yield json.dumps({token: token, "a": {token: {token: [token]}}}, ensure_ascii=False).encode()
    escaped = "".join(f"\\u{ord(character):04X}" for character in token)
    yield f'{{"action": "buy", "token": "{escaped}"'.encode()
    yield f'{{"action": "buy", "price": 1, "symbol": "B", "comment": "{escaped}"}}'.encode()
    yield f"buy 1 BTC with {token}".encode()
    yield f"token={quote(token, safe='')}&action=buy".encode()
    for encoding in ("utf-16", "utf-16-be", "utf-32"):
        yield f"buy with {token}".encode(encoding)
    yield b'{"token": "%s", "x": "%s"}' % (token.encode(), b"x" * 70_000)
    yield b"\0\xff" + token.encode() + b"\xff\0"
    yield json.dumps(alert(token=token[:-1] + "!", secret=f"{token[:-1]}?")).encode()


def requests(token: str) -> Iterator[Hostile]:
    in_path = quote(token, safe="").encode()
    bearer = (b"Authorization", b"Bearer " + token.encode())
    order = json.dumps(alert()).encode()
    for body in bodies(token):
        yield Hostile(body, path=b"/webhook/", headers=(bearer,))
        yield Hostile(body, path=b"/webhook/")
        yield Hostile(body, path=b"/webhook/" + in_path + b"/")
    for name in HEADERS:
        header = (name.encode(), b"a " + token.encode())
        yield Hostile(order, path=b"/webhook/", headers=(bearer, header))
    wrong = (token[:-1], token[:-1] + "_", token[:-1] + token[-1].swapcase() + "_")
    for near in wrong:
        near_in_path = quote(near, safe="").encode()
        yield Hostile(order, path=b"/webhook/" + near_in_path)
        yield Hostile(order, path=b"/webhook/" + near_in_path + b"/x")
        yield Hostile(order, path=b"/webhook/?token=" + near_in_path)
        # Refused for its host, and logged as a whole.
        elsewhere = ((b"Host", b"evil.example"),)
        yield Hostile(order, path=b"/webhook/" + near_in_path + b"/", headers=elsewhere)
        yield Hostile(
            order, path=b"/webhook/", headers=((b"Authorization", b"Bearer " + near.encode()),)
        )
    for path in (b"/webhook/?token=%s", b"/webhook/x?%s", b"/webhook/a/%s", b"/nowhere/%s", b"/?%s",
                 b"/admin/?next=%s", b"/admin/%s/", b"/health/live?%s", b"/static/%s"):  # fmt: skip
        for method in (b"POST", b"GET"):
            yield Hostile(order, method, path % in_path)
    yield Hostile(order, b"PUT", b"/webhook/" + in_path)
    if re.fullmatch(r"[\w-]+", token):
        yield Hostile(order, token.encode())


def fail_to_log_in(server: Server, token: str) -> None:
    page = server.page("/admin/login/")
    csrf = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    if csrf is None:
        return  # The main database is down.
    cookie = {"Cookie": page.headers["Set-Cookie"].partition(";")[0]}
    form = {"username": token, "password": token, "csrfmiddlewaretoken": csrf[1]}
    assert server.page("/admin/login/", form=form, headers=cookie).status == 200


def test_what_is_kept_is_found(databases: None) -> None:
    secret = f"kept-{token_hex(12)}"
    StrategyFactory(name=secret)
    RefusalFactory(token_name=secret)
    path = Path(django_settings.TRADELOG_DATA) / "kept"
    path.write_text(f"\0{secret}")
    try:
        found = leaks(secret)
    finally:
        path.unlink()
    assert str(path) in found
    assert [row.split(":")[0] for row in found[:2]] == [
        "a row of strategies",
        "a row of refused_alerts",
    ]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"WEBHOOK_TOKEN_RATE": "0/h"}, id="refused by rate"),
        pytest.param({"DATABASE_URL": NOWHERE, "BREAKER_FAILURES": "1"}, id="in an outage"),
        pytest.param({"LOG_FORMAT": "json"}, id="lines for machines"),
    ],
)
def test_no_token_is_kept_or_told(databases: None, settings: dict[str, str]) -> None:
    caches["default"].clear()
    is_outage = "DATABASE_URL" in settings
    tokens = {"WEBHOOK_TOKENS": f"plain:{PLAIN},odd:{ODD}"}
    with Server(LOG_LEVEL="DEBUG", **tokens, **settings) as server:
        start = len(server.output)
        sender = Sender(server.port, "")
        heard = []
        for token in (PLAIN, ODD):
            for request in requests(token):
                if is_outage and token == ODD and not request.is_for_alerts:
                    continue  # Each such page waits a second for the database.
                answer = sender.send(request)
                if request.is_for_alerts:
                    heard.append(answer.body.decode())
                    assert answer.status, request
            fail_to_log_in(server, token)
        told = server.page("/metrics").text + server.page("/health/ready").text
        sender.close()
        server.stop()
        logged = server.output[start:]
    kept = Refusal if "WEBHOOK_TOKEN_RATE" in settings else Entry
    assert kept.objects.count() > 60
    assert CUT in logged
    for secret in (PLAIN, ODD):
        # All but its last character, so that what was nearly right is found as well.
        for spelling in {json.dumps(secret)[1:-2], quote(secret[:-1], safe=""), secret[:-1]}:
            assert spelling not in logged, logged[logged.index(spelling) - 300 :][:600]
            assert spelling not in told + "".join(heard)
            assert leaks(spelling) == []
