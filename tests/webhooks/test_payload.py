"""Whole messages: what they order, and everything that is wrong with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults import InvalidPayload
from positions.netting import Intent
from trades.direction import Direction
from webhooks.payload import Subject, parse, subject_of
from webhooks.signal import PositionView, Signal

SAMPLES = Path(__file__).parent.parent / "samples"
LONG, SHORT = Direction.LONG, Direction.SHORT
ENTRY, EXIT, FLATTEN, ORDER = Intent.ENTRY, Intent.EXIT, Intent.FLATTEN, Intent.ORDER


def read(**fields: Any) -> Signal:
    return parse(json.dumps({"symbol": "BTCUSD", "price": "100"} | fields).encode())


def order(**fields: Any) -> Signal:
    return read(action="buy", **fields)


def faults_of(body: bytes | dict[str, Any], given_key: str = "") -> dict[str, str]:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidPayload) as caught:
        parse(body, given_key)
    names = ", ".join(caught.value.fields)
    assert caught.value.message.endswith(f" cannot be read: {names}")
    return caught.value.fields


# The samples.


def lines_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / name).read_text().splitlines()]


@pytest.mark.parametrize("sample", lines_of("alerts.jsonl"), ids=lambda sample: sample["shape"])
def test_sample_alerts(sample: dict[str, Any]) -> None:
    found, means = parse(json.dumps(sample["body"]).encode()), sample["means"]
    # Whether a plain sell opens, adds or reverses is for the open position to say.
    assert found.intent in {"exit": [EXIT, FLATTEN]}.get(means.get("kind"), [ORDER, ENTRY])
    assert found.strategy == means["strategy"]
    assert found.symbol == means.get("symbol", found.symbol)
    assert found.direction == means.get("direction", found.direction)
    for name in ("quantity", "price", "pnl_reported"):
        if name in means:
            assert getattr(found, name) == Decimal(means[name])
    if "time" in means:
        assert found.time == datetime.fromisoformat(means["time"])
    assert "T" not in found.unknown.values()


def test_sample_alerts_in_full() -> None:
    bodies = [json.dumps(sample["body"]).encode() for sample in lines_of("alerts.jsonl")]
    exit_, everything, nested, bare = (parse(bodies[at]) for at in (1, 2, 3, 4))
    assert (exit_.intent, exit_.unknown) == (FLATTEN, {"entryPrice": "4500.25"})
    assert everything.view_before == PositionView(LONG, Decimal(1))
    assert everything.view_after == PositionView(SHORT, Decimal("0.5"))
    assert everything.time == datetime(2026, 1, 5, 14, tzinfo=UTC)
    assert everything.sent_at == datetime(2026, 1, 5, 15, 0, 1, tzinfo=UTC)
    assert (everything.order_id, everything.interval, everything.comment) == ("Short", "60", "")
    assert everything.unknown == {"alert_message": ""}
    assert nested.unknown == {"heartbeat": False}
    assert nested.view_before == PositionView(None, Decimal(0))
    assert bare.view_after == PositionView(LONG, Decimal(1000000))
    assert bare.unknown == {"type": "strategy"}


def test_sample_session() -> None:
    flat_after = []
    for line in lines_of("../../demo/btcusd-session.jsonl"):
        found = parse(json.dumps(line).encode())
        assert found.book == "Monthly pyramid\x1fBITSTAMP:BTCUSD"
        assert (found.quantity, found.price) == (Decimal(line["quantity"]), Decimal(line["price"]))
        flat_after.append(found.intent is FLATTEN)
        assert found.intent in (FLATTEN, ORDER)
        assert found.view_before is not None
        assert found.view_before.size == Decimal(line["prev_market_position_size"])
    assert flat_after.count(True) == 4


# Where fields may stand, and which of them speaks.


@pytest.mark.parametrize(
    "message",
    [
        {"data": {"action": "sell", "price": 7, "id": "L", "name": "S"}},
        {"order": {"action": "sell", "price": 7, "id": "L"}, "strategy": "S"},
        {"strategy": {"order": {"action": "sell", "price": 7, "id": "L"}, "id": "S"}},
        {"strategy": {"data": {"id": "S", "side": "sell", "price": 7}}, "order_id": "L"},
        {"Strategy": {"order_action": "sell", "order_price": 7, "order_id": "L", "name": "S"}},
        {"data": {"strategy": {"order": {"side": "sell", "price": 7, "id": "L", "name": "x"},
                               "name": "S"}}},
    ],
)  # fmt: skip
def test_fields_in_containers(message: dict[str, Any]) -> None:
    found = parse(json.dumps({"ticker": "X", "symbol": ""} | message).encode())
    assert (found.strategy, found.price, found.order_id) == ("S", Decimal(7), "L")
    assert found.direction is SHORT


def test_top_goes_before_nested_and_the_name_before_both() -> None:
    assert order(data={"price": 5}).price == 100
    assert (
        parse(b'{"symbol":"X","action":"buy","close":1,"strategy":{"order":{"price":2}}}').price
        == 2
    )
    start = b'{"symbol":"X","action":"buy",'
    assert parse(start + b'"Price":1,"data":{"price":2}}').price == 1
    assert parse(start + b'"Price":1,"price":2}').price == 2
    assert parse(start + b'"strategy_price":1,"Price":2}').price == 2
    # A blank lets the next one speak.
    assert parse(b'{"symbol":"X","action":"buy","price":"","close":null,"last":" 3"}').price == 3


def test_containers_too_deep_are_left_alone() -> None:
    deep: dict[str, Any] = {"quantity": 5}
    for _ in range(5):
        deep = {"data": deep}
    found = order(**deep)
    assert found.quantity is None
    assert found.unknown == {"data": {"quantity": "5"}}


def test_a_name_that_comes_twice() -> None:
    start = b'{"symbol":"X","action":"buy",'
    assert parse(start + b'"price":1,"price":1.0,"a":1,"a":2}').price == 1
    assert parse(start + b'"price":1,"price":""}').price == 1
    assert list(faults_of(start + b'"price":1,"close":2,"close":3}')) == ["price"]
    assert list(faults_of(start + b'"price":1,"order":{"qty":1},"order":{"qty":2}}')) == ["action"]


def test_symbol_and_exchange() -> None:
    assert order(exchange="BINANCE").symbol == "BINANCE:BTCUSD"
    assert order(exchange="BINANCE", symbol="KRAKEN:XBT").symbol == "KRAKEN:XBT"
    assert order(exchange="BINANCE").strategy == "BINANCE:BTCUSD"
    assert order(symbol="EsTrend").strategy == "EsTrend"
    assert list(faults_of({"symbol": "x" * 60, "exchange": "y" * 60} | GOOD)) == ["symbol"]
    assert list(faults_of({"symbol": "X", "exchange": []} | GOOD)) == ["exchange"]


GOOD = {"action": "buy", "price": 1}


def test_bar_time_and_sending_time() -> None:
    bar, now = "2026-01-05T14:00:00Z", "2026-01-05T15:00:01Z"
    at_bar, at_now = datetime.fromisoformat(bar), datetime.fromisoformat(now)
    for name in ("time", "date", "timestamp", "bar_time"):
        found = order(**{"timenow": now, name: bar})
        assert (found.time, found.sent_at) == (at_bar, at_now)
        assert (order(**{name: bar}).time, order(**{name: bar}).sent_at) == (at_bar, None)
    assert (order(timenow=now).time, order(timenow=now).sent_at) == (at_now, None)
    assert (order().time, order().sent_at) == (None, None)
    assert list(faults_of({"symbol": "X", "time": bar, "timenow": "soon"} | GOOD)) == ["time"]


@pytest.mark.parametrize("name", ["time", "date", "bar_time"])
def test_a_timestamp_beside_the_bars_time_is_the_sending_time(name: str) -> None:
    bar, now = "2026-01-05T14:00:00Z", "2026-01-05T15:00:01Z"
    at_bar, at_now = datetime.fromisoformat(bar), datetime.fromisoformat(now)
    found = order(**{"timestamp": now, name: bar})
    assert (found.time, found.sent_at) == (at_bar, at_now)
    # What `timenow` tells goes before it, and no alert is refused for it.
    assert order(timestamp="2026-01-06", timenow=now, **{name: bar}).sent_at == at_now
    assert order(timestamp="the bar's", **{name: bar}).sent_at is None


def test_given_key() -> None:
    body = b'{"symbol":"X","action":"buy","price":1,"nonce":"in the body"}'
    assert parse(body).given_key == "in the body"
    assert parse(body, "  ").given_key == "in the body"
    assert parse(body, " in the header ").given_key == "in the header"
    for wrong in ("a\x01b", "x" * 201):
        assert list(faults_of(body, wrong)) == ["idempotency_key"]


# What is kept, and what is not.


def test_unknown_fields_are_kept_storable_and_without_tokens() -> None:
    body = (
        b'{"symbol":"X","action":"buy","price":1,"Token":"S","api-token":"S","heart.Beat":1.50,'
        b'"deep":{"passphrase":"S","list":[{"key":"S","a\\u0000":"\\ud800"},NaN,null,true]},'
        b'"data":{"secret":"S","heart.Beat":2},"order":[1]}'
    )
    unknown = parse(body).unknown
    assert unknown == {
        "heart.Beat": "1.50",
        "deep": {"list": [{"a\ufffd": "\ufffd"}, "NaN", None, True]},
        "data.heart.Beat": "2",
        "order": ["1"],
    }
    json.dumps(unknown).encode()


def test_token_is_in_no_fault() -> None:
    tokens = dict.fromkeys(("token", "key", "secret", "passphrase", "api_token"), "S3CRET{{x}}")
    faults = faults_of({**tokens, "data": tokens, "price": "x"})
    assert "S3CRET" not in str(faults)


def test_every_fault_at_once() -> None:
    names = ["exchange", "signal_type", "market_position", "market_position_size",
             "prev_market_position", "prev_market_position_size", "quantity", "price", "time",
             "pnl", "commission", "is_test"]  # fmt: skip
    message: dict[str, Any] = {name: [] for name in names}
    message |= dict.fromkeys(("strategy", "symbol"), "\x00-\x00")
    labels = ("order_id", "currency", "interval", "comment", "stop_loss", "take_profit",
              "idempotency_key")  # fmt: skip
    message |= dict.fromkeys(labels, "{{x}}")
    message["action"] = "purchase"
    faults = faults_of(message)
    assert faults.keys() == message.keys()
    assert all(faults.values())
    assert list(faults_of({})) == ["symbol", "action", "price"]


def test_nan_and_unfilled_placeholders_count_under_every_name() -> None:
    assert list(faults_of({"symbol": "X", "last": float("nan")} | GOOD)) == ["price"]
    faults = faults_of({"symbol": "X", "comment": "{{a}}", "close": "{{close}}"} | GOOD)
    assert list(faults) == ["price", "comment"]
    assert '"{{close}}"' in faults["price"]


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        ({"ticker": "X", "exchange": "E"}, Subject("E:X", "E:X")),
        ({"name": "A", "data": {"symbol": "X"}, "is_test": 1}, Subject("A", "X", is_test=True)),
        ({"strategy": "A"}, Subject("A")),
        # What no order may be of is nothing a row says of itself.
        ({"strategy": "{{strategy.name}}", "symbol": "X"}, Subject("", "X")),
        ({"strategy": "A" * 101, "symbol": "X"}, Subject("", "X")),
        ({"strategy": "A\x1f", "symbol": "X\x00"}, Subject()),
        ({"strategy": "A", "symbol": "X" * 60, "exchange": "E" * 60}, Subject("A")),
        ({"strategy": "A", "symbol": "X", "exchange": "{{exchange}}"}, Subject("A")),
        ({"strategy": "A", "is_test": "perhaps", "time": "noon"}, Subject("A")),
        ({"time": 10**8, "timenow": 60}, Subject(time=datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC))),
        (
            {"time": "{{time}}", "timenow": 10**8 + 20},
            Subject(time=datetime(1973, 3, 3, 9, 47, tzinfo=UTC)),
        ),
    ],
)
def test_what_a_message_speaks_of(message: dict[str, Any], subject: Subject) -> None:
    faults_of(message)
    assert subject_of(json.dumps(message).encode()) == subject


def test_no_json_speaks_of_nothing() -> None:
    for body in (b"", b"[]", b'{"strategy": "A",', b"\xff", b"[" * 50_000):
        assert subject_of(body) == Subject()


@given(
    st.fixed_dictionaries(
        {"symbol": st.text(max_size=8), "price": st.sampled_from(["1", "x"])},
        optional={
            "strategy": st.text(max_size=8),
            "exchange": st.text(max_size=8),
            "is_test": st.sampled_from([True, "1", "maybe"]),
            "time": st.sampled_from(["2026-01-05", "never"]),
            "timenow": st.sampled_from(["2026-01-06", 60]),
        },
    )
)
def test_an_order_speaks_of_its_own_book(fields: dict[str, Any]) -> None:
    body = json.dumps({"action": "buy"} | fields).encode()
    subject = subject_of(body)
    assert not set(subject.strategy + subject.symbol) & set("\x00\x1f\ud800")
    try:
        signal = parse(body)
    except InvalidPayload:
        return
    assert subject == Subject(signal.strategy, signal.symbol, signal.is_test, signal.time)
    assert subject.book == signal.book


def test_comment_is_cleaned_and_refuses_no_order() -> None:
    assert order(comment="a\x00b\ud83dc\nd😀").comment == "a\ufffdb\ufffdc\nd😀"
    assert order(comment="ж" * 4001).comment == "ж" * 4000
    for no_text in (True, ["x"], {"x": 1}):
        assert order(comment=no_text).comment == ""
    assert order(comment=42).comment == "42"
    placeholder = {"symbol": "X", "comment": "{{strategy.order.comment}}"}
    assert list(faults_of(placeholder | GOOD)) == ["comment"]
