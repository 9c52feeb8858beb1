"""Whatever the bytes: a signal, or a fault that can be stored and shown."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from faults import InvalidJSON, InvalidPayload
from webhooks.decoding import decode
from webhooks.payload import parse
from webhooks.signal import Signal

# What is no JSON object.


@pytest.mark.parametrize(
    "body",
    [b"", b"  ", b"buy BTC", b"[]", b'[{"action":"buy"}]', b'"buy"', b"1", b"null", b"true", b"NaN",
     b"{", b'{"a":1}}', b"{'a':1}", b'{"a":1,}', b"\xff\xfe{}", b'{"a":"\xff"}', b'{"a":"\x00"}',
     b'\x00{"a":1}', b'{"a":"\xed\xa0\x80"}', '{"a":1}'.encode("utf-16"), b"1" * 60000,
     b"[" * 60000, b'{"a":' * 10000, b'{"a":' * 33 + b"1" + b"}" * 33,
     b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_no_json_object(body: bytes) -> None:
    with pytest.raises(InvalidJSON) as caught:
        parse(body)
    assert caught.value.message
    with pytest.raises(InvalidJSON):
        decode(body)


def test_unquoted_placeholders_are_named() -> None:
    body = b'{"symbol": "{{ticker}}", "close": {{close}}, "qty":{{strategy.order.contracts}}}'
    with pytest.raises(InvalidJSON) as caught:
        parse(body)
    assert list(caught.value.fields) == ["price", "quantity"]
    assert "{{close}}" in caught.value.fields["price"]


def test_decode() -> None:
    found = decode(b'\xef\xbb\xbf{"a": 0.1, "b": ' + b"7" * 6000 + b', "c": "x", "d": NaN}')
    assert found["a"] == Decimal("0.1")
    assert found["b"] == Decimal("7" * 6000)
    assert found["c"] == "x"
    assert str(found["d"]) == "NaN"


# Whatever the bytes.


NAMES = [
    "strategy",
    "name",
    "bot_id",
    "symbol",
    "ticker",
    "exchange",
    "action",
    "data",
    "side",
    "signal",
    "signal_type",
    "position",
    "market_position",
    "market_position_size",
    "position_size",
    "prev_market_position",
    "prev_market_position_size",
    "quantity",
    "contracts",
    "price",
    "close",
    "last",
    "time",
    "date",
    "timenow",
    "order_id",
    "id",
    "order",
    "strategy_order_id",
    "pnl",
    "commission",
    "currency",
    "interval",
    "comment",
    "stop_loss",
    "take_profit",
    "is_test",
    "idempotency_key",
    "nonce",
    "token",
    "key",
    "Token",
    "order_name",
    "x",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),
    st.sampled_from(
        ["buy", "exit", "long", "flat", "entry", "1e999999999", "-1", "5", "{{x}}", ""]
    ),
    st.datetimes().map(str),
)
OBJECTS = st.deferred(lambda: st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES))
VALUES: st.SearchStrategy[Any] = SCALARS | st.lists(SCALARS, max_size=2) | OBJECTS


def outcome(body: bytes, given_key: str = "") -> Any:
    """The signal, or the fault; anything else that is raised fails the test."""
    try:
        return parse(body, given_key)
    except (InvalidJSON, InvalidPayload) as fault:
        found: InvalidJSON | InvalidPayload = fault
    told = json.dumps([found.message, found.fields], ensure_ascii=False)
    told.encode()
    assert "\\u0000" not in told
    assert len(found.message) < 700
    return type(found), told


@given(st.binary() | st.text().map(str.encode), st.text())
@example(b'{"price":1e99999999999999999999}', "")
@example(b'{"symbol":"a","price":1,"action":"buy","a":{"\\ud800":1,"b":[1e999999999]}}', "\ud800")
def test_nothing_else_is_raised_for_bytes(body: bytes, given_key: str) -> None:
    assert outcome(body, given_key) == outcome(body, given_key)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=12))
def test_nothing_else_is_raised_for_objects(message: dict[str, Any]) -> None:
    message = {"symbol": "X", "action": "buy", "price": 1} | message
    body = json.dumps(message).encode()
    first = outcome(body)
    assert first == outcome(body)
    if isinstance(first, Signal):
        json.dumps(first.unknown, ensure_ascii=False, allow_nan=False).encode()
        assert first.price > 0
        assert 0 < len(first.strategy) <= 100


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=0, max_value=10**17))
def test_every_price_comes_back_exactly(price: Decimal) -> None:
    body = f'{{"symbol":"X","action":"buy","price":{price:f}}}'.encode()
    if price:
        assert parse(body).price == price
    else:
        with pytest.raises(InvalidPayload):
            parse(body)
