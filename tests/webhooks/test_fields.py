"""Names and values of single fields: what is accepted, what it becomes, what is refused."""

from __future__ import annotations

import decimal
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from faults import InvalidPayload
from trades.direction import Direction
from webhooks.payload import parse
from webhooks.signal import PositionView, Signal

BASE = {"symbol": "BTCUSD", "action": "buy", "price": "100"}


def read(without: str = "", /, **fields: Any) -> Signal:
    message = {name: value for name, value in BASE.items() if name != without} | fields
    return parse(json.dumps(message).encode())


def read_number(literal: str, field: str = "price") -> Any:
    """What a number becomes that stands in the message without quotes."""
    message = {name: value for name, value in BASE.items() if name != field}
    text = json.dumps(message)[:-1] + f', "{field}": {literal}' + "}"
    return getattr(parse(text.encode()), {"pnl": "pnl_reported"}.get(field, field))


def fault_of(field: str, **fields: Any) -> str:
    with pytest.raises(InvalidPayload) as caught:
        read(**fields)
    assert list(caught.value.fields) == [field]
    return caught.value.fields[field]


NOON = "2026-01-05T12:00:00Z"
AT_NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

#: The Contract's table, by hand: field, one of its names, value sent, Signal's attribute,
#: value read.
ALIASES = [
    *(
        ("strategy", name, "RSI", "strategy", "RSI")
        for name in ("strategy", "strategy_name", "strategy_id", "name", "bot_id")
    ),
    *(
        ("symbol", name, "ETHUSD", "symbol", "ETHUSD")
        for name in ("symbol", "ticker", "pair", "instrument", "market")
    ),
    *(
        ("action", name, "sell", "direction", Direction.SHORT)
        for name in ("action", "data", "side", "order_action", "signal")
    ),
    *(("signal_type", name, "entry", "intent", "entry") for name in ("signal_type", "signalType")),
    *(
        ("market_position", name, "short", "view_after", PositionView(Direction.SHORT, None))
        for name in ("market_position", "position", "direction")
    ),
    (
        "market_position_size", "position_size", -2,
        "view_after", PositionView(Direction.SHORT, Decimal(2)),
    ),
    *(
        ("prev_market_position", name, "long", "view_before", PositionView(Direction.LONG, None))
        for name in ("prev_market_position", "prevPosition")
    ),
    *(
        ("quantity", name, "1.5", "quantity", Decimal("1.5"))
        for name in (
            "quantity", "qty", "contracts", "order_contracts", "size", "amount", "order_size",
        )
    ),
    *(
        ("price", name, "42.5", "price", Decimal("42.5"))
        for name in ("price", "order_price", "close", "last")
    ),
    *(
        ("time", name, NOON, "time", AT_NOON)
        for name in ("time", "date", "bar_time", "timestamp", "timenow")
    ),
    *(
        ("order_id", name, "Long", "order_id", "Long")
        for name in ("order_id", "id", "strategy_order_id")
    ),
    *(
        ("pnl", name, "-12.5", "pnl_reported", Decimal("-12.5"))
        for name in ("pnl", "profit", "realized_pnl", "PnL", "realizedPnL")
    ),
    *(("commission", name, 2, "commission", Decimal(2)) for name in ("commission", "fee", "fees")),
    *(("currency", name, "Usd", "currency", "USD") for name in ("currency", "quote_currency")),
    *(("interval", name, 60, "interval", "60") for name in ("interval", "timeframe", "tf")),
    *(("comment", name, "TP 1", "comment", "TP 1") for name in ("comment", "order_comment")),
    *(("stop_loss", name, 9, "stop_loss", Decimal(9)) for name in ("stop_loss", "stopLoss", "sl")),
    *(("take_profit", name, 90, "take_profit", Decimal(90)) for name in ("take_profit", "tp")),
    *(("is_test", name, True, "is_test", True) for name in ("is_test", "isTest")),
    *(
        ("idempotency_key", name, "k-1", "given_key", "k-1")
        for name in ("idempotency_key", "alert_id", "nonce", "Idempotency-Key")
    ),
]  # fmt: skip


@pytest.mark.parametrize(("field", "name", "sent", "attribute", "expected"), ALIASES)
def test_field_goes_by_each_of_its_names(
    field: str, name: str, sent: Any, attribute: str, expected: Any
) -> None:
    found = read(field, **{name: sent})
    assert getattr(found, attribute) == expected
    assert not found.unknown


@pytest.mark.parametrize("field", ["strategy", "market_position", "time", "quantity", "order_id"])
def test_names_speak_in_the_tables_order(field: str) -> None:
    names = [name for canonical, name, *_ in ALIASES if canonical == field]
    values: dict[str, list[Any]] = {
        "strategy": ["a", "b", "c", "d", "e"],
        "market_position": ["long", "short", "long"],
        # timenow stands aside for the bar's time; see test_payload.
        "time": [f"2026-01-0{day}" for day in range(1, 6)],
        "quantity": [1, 2, 3, 4, 5, 6, 7],
        "order_id": ["a", "b", "c"],
    }
    sent = [each for each in zip(names, values[field], strict=True) if each[0] != "timenow"]
    attribute = {"market_position": "view_after"}.get(field, field)
    while sent:
        alone = read(field, **dict(sent[:1]))
        # Last in the message, and still first to be heard.
        assert getattr(read(field, **dict(reversed(sent))), attribute) == getattr(alone, attribute)
        sent = sent[1:]


@pytest.mark.parametrize(
    "name", ["orderPrice", "ORDER_PRICE", "order-price", "Order Price", "order.price",
             "strategy.order.price", "strategy-order-price", "strategy_price", "strategyOrderPrice"]
)  # fmt: skip
def test_spellings_of_a_name(name: str) -> None:
    assert read("price", **{name: 7}).price == 7


def test_prefixed_names_that_mean_something_else() -> None:
    found = read(
        strategy_id="s1", strategy_order_id="Long", order_name="x", order_type="market",
        strategy_data={"a": 1}, entryPrice=5, heartbeat=False, cid="9",
    )  # fmt: skip
    assert (found.strategy, found.order_id, found.price) == ("s1", "Long", Decimal(100))
    assert found.unknown == {
        "order_name": "x", "order_type": "market", "strategy_data": {"a": "1"},
        "entryPrice": "5", "heartbeat": False, "cid": "9",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("0.00001234", "0.00001234"),
        ("1.000000000000000001", "1.000000000000000001"),
        (f"{'9' * 18}.{'9' * 36}", f"{'9' * 18}.{'9' * 36}"),
        # As floats come to it: 1.1246 - 1.1234, 0.01 / 3, 1 / 98500.
        ("0.0012000000000000899", "0.0012000000000000899"),
        ("0.0033333333333333335", "0.0033333333333333335"),
        ("1.015228426395939e-05", "0.00001015228426395939"),
        ("123456789.123456789012", "123456789.123456789012"),
        ("1e-7", "0.0000001"),
        ("1E+5", "100000"),
        ("1.50", "1.5"),
        ("1" + "0" * 17 + "." + "0" * 5000, "1" + "0" * 17),
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_numbers_are_exact(literal: str, expected: str, quoted: bool) -> None:
    # A context that rounds, as any caller may have set.
    with decimal.localcontext(prec=3):
        found = read_number(f'"{literal}"' if quoted else literal)
    assert format(found, "f") == expected
    assert found.as_tuple().exponent <= 0


@pytest.mark.parametrize(
    ("sent", "expected"), [("+2", 2), (".5", Decimal("0.5")), ("5.", 5), (" 3 ", 3)]
)
def test_numbers_as_text(sent: str, expected: Decimal) -> None:
    assert read(price=sent).price == expected


@pytest.mark.parametrize(
    "literal",
    ["NaN", "Infinity", "-Infinity", "1e18", "1e999999999", "1e-37", "1e-999999999",
     "1e99999999999999999999", "-1e-99999999999999999999", f"1.{'0' * 36}1",
     "9" * 5000, "0", "-1", "true", "[1]", "{}", '"1,5"', '"1,234.5"', '"1 000"', '"$1"', '"NaN"',
     '"inf"', '"1_0"', '"\u0661"', '"0x1"', '"1e99999999999"', '"{{close}}"', '"-0"'],
)  # fmt: skip
@pytest.mark.parametrize("field", ["price", "quantity"])
def test_numbers_refused(field: str, literal: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        read_number(literal, field)
    assert list(caught.value.fields) == [field]
    assert len(caught.value.fields[field]) < 250


def test_decimal_comma_is_told_what_to_send() -> None:
    assert "point for decimals and no thousands separators" in fault_of("price", price="1,5")


@pytest.mark.parametrize("field", ["stop_loss", "take_profit"])
def test_levels(field: str) -> None:
    for none in ("0.0", {"type": "stop", "percent": 5}, "2%", " 2.5 % ", [110, 120], False):
        assert getattr(read(**{field: none}), field) is None
    assert getattr(read(**{field: "1.5"}), field) == Decimal("1.5")
    for wrong in (-1, "NaN", "{{plot_0}}", "{{plot_0}}%", "soon"):
        fault_of(field, **{field: wrong})


def test_profit_and_commission_have_any_sign() -> None:
    found = read(pnl="-1.5", commission="-0.1")
    assert (found.pnl_reported, found.commission) == (Decimal("-1.5"), Decimal("-0.1"))
    for zero in ("0", "-0.00", "0e99", "0e-99"):
        assert str(read_number(zero, "pnl").as_tuple()) == str(Decimal(0).as_tuple())


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-01-05T12:00:00Z", AT_NOON),
        ("2026-01-05t12:00:00z", AT_NOON),
        ("2026-01-05T12:00:00", AT_NOON),
        ("2026-01-05 12:00", AT_NOON),
        ("20260105T120000Z", AT_NOON),
        ("2026-01-05T13:00:00+01:00", AT_NOON),
        ("2026-01-05T07:00:00.000-0500", AT_NOON),
        ("2026-01-05", datetime(2026, 1, 5, tzinfo=UTC)),
        ("20260105", datetime(2026, 1, 5, tzinfo=UTC)),
        ("2026-01-05T12:00:00.123456789Z", AT_NOON.replace(microsecond=123456)),
        (1767614400, AT_NOON),
        ("1767614400", AT_NOON),
        (1767614400000, AT_NOON),
        ("1767614400000", AT_NOON),
        ("1767614400.25", AT_NOON.replace(microsecond=250000)),
        ("1767614400000.5", AT_NOON.replace(microsecond=500)),
        ("99999999999.999999999999999999", None),
        (100000000000, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (10**8, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        ("2200-12-31T23:59:59Z", datetime(2200, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times(sent: Any, expected: datetime | None) -> None:
    if expected is None:
        fault_of("time", time=sent)
        return
    found = read(time=sent).time
    assert found == expected
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "sent",
    ["yesterday", "14:30", "05.01.2026", "2026-13-01", "2026-01-05T25:00", "2026-01-05Tx",
     "2201-01-01", "1969-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e17",
     "-1", "1e300", "2026-01-05T12:00:00 \ud800", -1, 10**17, True, [], {}, "{{timenow}}",
     0, "0", 20261127, 99_999_999],
)  # fmt: skip
def test_times_refused(sent: Any) -> None:
    fault_of("time", time=sent)
    fault_of("time", timenow=sent)


@pytest.mark.parametrize(
    ("field", "limit"),
    [("strategy", 100), ("symbol", 100), ("idempotency_key", 200)],
)
def test_texts(field: str, limit: int) -> None:
    attribute = {"idempotency_key": "given_key"}.get(field, field)
    assert getattr(read(**{field: " \n" + "ж" * limit + "\t "}), attribute) == "ж" * limit
    assert getattr(read(**{field: 42}), attribute) == "42"
    for wrong in ("x" * (limit + 1), True, ["x"], {"x": 1}, "a{{strategy.x}}b"):
        if field == "strategy" and isinstance(wrong, dict):
            continue
        fault_of(field, **{field: wrong})
    for bad in ("a\x00b", "a\x1fb", "a\nb", "a\x85b", "a\ud800b", "\x1f"):
        assert "\ufffd" in fault_of(field, **{field: bad})


@pytest.mark.parametrize("sent", [True, "true", "TRUE", 1, "1", 1.0])
def test_is_test(sent: Any) -> None:
    assert read(is_test=sent).is_test is True


@pytest.mark.parametrize("sent", [False, "false", 0, "0", "", None])
def test_is_no_test(sent: Any) -> None:
    assert read(is_test=sent).is_test is False


@pytest.mark.parametrize("sent", ["yes", 2, [], {}, "{{x}}"])
def test_is_test_refused(sent: Any) -> None:
    fault_of("is_test", is_test=sent)
