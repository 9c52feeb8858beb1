"""The door: addresses, sizes, and tokens that never get past it."""

from __future__ import annotations

import json
import sys
from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from addresses import client_address, counted_as
from faults import PayloadTooLarge
from tests.alerts import Poster, alert
from tests.environment import TOKEN
from tests.server import Server
from wal.models import Entry
from webhooks import credentials
from webhooks.credentials import (
    CUT,
    _end_of_value,
    cut_tokens,
    cut_tokens_from_text,
    identify,
    tokens_in,
)
from webhooks.fields import TOKEN_FIELDS, normalise
from webhooks.frontdoor import read_body
from webhooks.models import WebhookLog


def test_addresses_outside_the_list_are_refused(post: Poster, settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_IPS = ["52.89.214.238", "10.0.0.0/8"]
    answer = post()
    assert (answer.http, answer.code) == (403, "ADDRESS_NOT_ALLOWED")
    settings.WEBHOOK_ALLOWED_IPS = ["127.0.0.0/8"]
    assert post()["status"] == "processed"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param("9.9.9.9", "1.1.1.1", "9.9.9.9", id="no proxy of ours"),
        pytest.param("10.0.0.1", "1.1.1.1", "1.1.1.1", id="one proxy"),
        pytest.param("10.0.0.1", "1.1.1.1:4444", "1.1.1.1", id="one that tells the port"),
        pytest.param("10.0.0.1", "[2001:db8::7]:44", "2001:db8::7", id="and with IPv6"),
        pytest.param("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1", id="forged first hop"),
        pytest.param("10.0.0.1", "1.1.1.1, rubbish", "10.0.0.1", id="rubbish is not believed"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="no header"),
        pytest.param("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1", id="IPv4 heard on IPv6"),
        pytest.param("", "1.1.1.1", "", id="a socket without addresses"),
    ],
)
def test_client_address(settings: Settings, peer: str, forwarded: str, client: str) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    request = RequestFactory().post("/webhook/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == client


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_a_household_is_counted_as_one(address: str, counted: str) -> None:
    assert counted_as(address) == counted


def test_a_large_body_is_refused_by_a_real_server_before_it_is_read(server: Server) -> None:
    connection = server.connection()
    # A length alone, and no body: an answer shows that nobody waited for it.
    connection.putrequest("POST", f"/webhook/{TOKEN}/")
    connection.putheader("Content-Length", str(10 * 1024 * 1024))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read())["error"]["code"] == "PAYLOAD_TOO_LARGE"
    connection.close()


@pytest.mark.parametrize(
    ("size", "told", "read"),
    [
        # Whoever is still writing when the answer comes may never see it.
        pytest.param(65_537, True, 65_537, id="one byte too many"),
        pytest.param(65_537, False, 65_537, id="one byte too many, its length not told"),
        pytest.param(131_072, True, 131_072, id="twice the limit"),
        pytest.param(131_073, True, 0, id="over twice the limit"),
        pytest.param(1_000_000, False, 131_072, id="without end"),
    ],
)
def test_what_is_refused_is_read_up_to_twice_the_limit(size: int, told: bool, read: int) -> None:
    sent = BytesIO(size * b" ")
    headers = {"CONTENT_LENGTH": str(size)} if told else {"HTTP_TRANSFER_ENCODING": "chunked"}
    request = WSGIRequest({"REQUEST_METHOD": "POST", "wsgi.input": sent, **headers})
    with pytest.raises(PayloadTooLarge):
        read_body(request)
    assert sent.tell() == read


def test_a_chunked_body_is_read_and_limited(server: Server) -> None:
    connection = server.connection()
    connection.request(
        "POST", f"/webhook/{TOKEN}/", iter([json.dumps(alert()).encode()]), encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )  # fmt: skip
    assert json.loads(connection.getresponse().read())["status"] == "processed"
    connection.request(
        "POST", f"/webhook/{TOKEN}/", (b"x" * 1024 for _ in range(65)), encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )  # fmt: skip
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(alert(token=TOKEN)),
        json.dumps(alert(comment=f"posted to /webhook/{TOKEN}/ by hand", key=TOKEN)),
        json.dumps(alert(data={"secret": TOKEN}, moon=[TOKEN, {TOKEN: 1}])),
        json.dumps(alert(token=TOKEN)).replace(TOKEN, "\\u0074" + TOKEN[1:]),
        f"buy 1 BTC, passphrase {TOKEN}",
        f'{{"action": "buy", "token": "{TOKEN}"',
        json.dumps(alert(secret="rotated-out-last-year")),
        json.dumps(alert(api_token='quoted " and \\ escaped rotated-out-last-year')),
    ],
)
def test_no_token_is_stored(post: Poster, body: str) -> None:
    answer = post(body)
    entry = Entry.objects.get()
    log = WebhookLog.objects.get()
    kept = [
        bytes(entry.body).decode(),
        str(entry.envelope),
        log.payload,
        log.error_message,
        str(log.error_fields),
        str(answer.body),
    ]
    for text in kept:
        assert TOKEN not in text and "\\u0074" + TOKEN[1:] not in text
        assert "rotated-out-last-year" not in text
    assert CUT in kept[0]


def test_cutting_leaves_everything_else_as_it_came() -> None:
    body = b'{ "token":"%s" , "price" : 1.50e2, "a":[1,  2], "price": 0.10 }' % TOKEN.encode()
    assert cut_tokens(body) == b'{ "token":"***" , "price" : 1.50e2, "a":[1,  2], "price": 0.10 }'


@pytest.mark.parametrize(
    "name",
    [
        "pass_phrase",
        "Pass Phrase",
        "to-ken",
        "_key",
        "api.Token ",
        r"\u0074oken",
        r"to\u005FK\u0045n",
    ],
)
@pytest.mark.parametrize("value", ['"OLD"', '["OLD", ["OLD"]]', '{"a": {"b": "OLD"}}', "0LD"])
def test_what_a_token_field_holds_is_cut_however_it_is_spelled(name: str, value: str) -> None:
    body = '{"a": [1], "%s": %s, "price": 1.50}'
    assert cut_tokens((body % (name, value)).encode()) == (body % (name, '"***"')).encode()


@given(st.sampled_from(sorted(TOKEN_FIELDS)), st.data())
def test_a_name_that_is_read_as_a_token_field_is_cut_as_one(
    field: str, data: st.DataObject
) -> None:
    between = st.text("_-. ", max_size=2)
    name = data.draw(between)
    for letter in field:
        name += data.draw(st.sampled_from([letter, letter.upper()])) + data.draw(between)
    assert normalise(name) == field
    escaped = "".join(f"\\u{ord(each):04x}" if data.draw(st.booleans()) else each for each in name)
    assert b"OLD" not in cut_tokens(f'{{"{escaped}": "OLD"}}'.encode())


# The last is the Kelvin sign's, whose small letter is a k.
@pytest.mark.parametrize("name", ["tokens", "monkey", "the key", "secretary", "to\u212aen"])
def test_other_fields_are_no_token_fields(name: str) -> None:
    body = f'{{"{name}": ["kept"]}}'.encode()
    assert cut_tokens(body) == body
    assert tokens_in(f'{{"{name}": "kept"}}'.encode()) == []


def test_no_further_letter_is_read_as_one_of_a_field_name() -> None:
    others = map(chr, range(128, sys.maxunicode + 1))
    assert [letter for letter in others if normalise(letter).isascii()] == []


def test_what_is_cut_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands within it: a body made for it would keep a worker for seconds."""
    read: list[int] = []

    def end_of_value(text: str, start: int) -> int:
        read.append(start)
        return _end_of_value(text, start)

    monkeypatch.setattr(credentials, "_end_of_value", end_of_value)
    assert cut_tokens(b'{"key":[' * 1000) == b'{"key":"***"'
    assert len(read) == 1


def test_of_a_token_field_that_is_no_json_all_is_cut() -> None:
    assert cut_tokens(b'{"token": ["OLD", "price": 1') == b'{"token": "***"'


def test_a_short_token_is_cut_only_where_it_stands_alone(settings: Settings) -> None:
    settings.WEBHOOK_TOKENS = ["T"]
    body = b'{"symbol": "BTCUSDT", "time": "2026-01-05T14:30:00Z", "token": "T"}'
    assert cut_tokens(body) == body.replace(b'"T"', b'"***"')


@given(st.binary(max_size=200))
def test_cutting_never_fails_and_never_leaves_a_token(noise: bytes) -> None:
    body = noise + TOKEN.encode() + noise
    assert TOKEN.encode() not in cut_tokens(body)


def test_log_lines_hold_no_token() -> None:
    assert TOKEN not in cut_tokens_from_text(f"{TOKEN}{TOKEN}")
    line = "POST /webhook/nearly-right/?token=old&a=1 by '/webhook/nearly-right'"
    assert cut_tokens_from_text(line) == "POST /webhook/***/?token=***&a=1 by '/webhook/***'"


def test_several_tokens_at_once_and_names(settings: Settings) -> None:
    settings.WEBHOOK_TOKENS = ["first-token-0123456789", "new:second-token-0123456789:A|B", "  "]
    first, second = identify(["first-token-0123456789"]), identify(["x", "second-token-0123456789"])
    assert first is not None and second is not None
    assert (first.name, first.strategies) == ("token 1", frozenset())
    assert (second.name, second.strategies) == ("new", frozenset({"A", "B"}))
    assert identify(["", "third", "new", "\ud800"]) is None


@pytest.mark.parametrize("key", ["\u00fc", "\u00c3\u00bc"], ids=["Latin-1", "UTF-8"])
def test_a_key_that_is_not_ascii_counts_as_none(server: Server, key: str) -> None:
    """The server hands on an empty one; no two orders become one by that."""
    for number in ("1", "2"):
        answer = server.post(order_id=number, headers={"Idempotency-Key": f"{key}-{number}"})
        assert answer["status"] == "processed"
    keys = WebhookLog.objects.values_list("idempotency_key", flat=True)
    assert [key.partition(":")[0] for key in keys] == ["order", "order"]
