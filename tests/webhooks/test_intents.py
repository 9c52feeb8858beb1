"""What an order does by its words, and TradingView's own position around it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from faults import InvalidPayload
from positions.netting import Intent
from trades.direction import Direction
from webhooks.payload import parse
from webhooks.signal import PositionView, Signal

LONG, SHORT = Direction.LONG, Direction.SHORT
ENTRY, EXIT, FLATTEN, ORDER = Intent.ENTRY, Intent.EXIT, Intent.FLATTEN, Intent.ORDER


def read(**fields: Any) -> Signal:
    return parse(json.dumps({"symbol": "BTCUSD", "price": "100"} | fields).encode())


def fault_names(**fields: Any) -> list[str]:
    with pytest.raises(InvalidPayload) as caught:
        read(**fields)
    return list(caught.value.fields)


BUYS = ("long", "open_long", "entry_long")
SELLS = ("short", "open_short", "entry_short")
WORDS: list[tuple[dict[str, Any], Intent, Direction | None]] = [
    ({"action": "buy"}, ORDER, LONG),
    ({"action": "sell"}, ORDER, SHORT),
    *(({"action": word}, ENTRY, LONG) for word in (*BUYS, "entry", "enter", "open")),
    *(({"action": word}, ENTRY, SHORT) for word in SELLS),
    *(({"action": word}, EXIT, None) for word in ("exit", "close", "flat")),
    *(({"action": word}, EXIT, LONG) for word in ("exit_long", "close_long")),
    *(({"action": word}, EXIT, SHORT) for word in ("exit_short", "close_short", "cover")),
    *(({"action": word}, EXIT, LONG) for word in ("EXIT-LONG", "Exit Long", "exitLong")),
    # The direction-less words take TradingView's side.
    *(
        ({"action": word, "market_position": side}, ENTRY, Direction(side))
        for word in ("entry", "enter", "open")
        for side in ("long", "short")
    ),
    # Or the side that another of action's names tells.
    *(
        ({"action": word, name: told}, ENTRY, side)
        for word in ("entry", "enter", "open")
        for name in ("side", "order_action", "signal")
        for told, side in (("buy", LONG), ("sell", SHORT), ("Short", SHORT), ("exit_short", LONG))
    ),
    ({"action": "entry", "side": "open", "signal": "short"}, ENTRY, SHORT),
    ({"action": "entry", "side": "Breakout", "signal": "short"}, ENTRY, SHORT),
    ({"action": "entry", "side": "short", "signal_type": "entry"}, ENTRY, SHORT),
    ({"action": "entry", "side": "short", "market_position": "long"}, ENTRY, SHORT),
    ({"action": "buy", "side": "short"}, ORDER, LONG),
    # An exit, and the side it leaves, by whichever of action's names.
    *(
        ({"action": word, name: exit_word}, EXIT, side)
        for word, side in (("buy", SHORT), ("sell", LONG), ("long", LONG), ("short", SHORT))
        for name in ("side", "order_action", "signal")
        for exit_word in ("exit", "close", "flat")
    ),
    ({"side": "long", "signal": "exit"}, EXIT, LONG),
    ({"action": "buy", "signal": "exit_long"}, EXIT, LONG),
    ({"action": "close", "side": "long"}, EXIT, LONG),
    ({"action": "exit", "signal": "Short"}, EXIT, SHORT),
    ({"action": "exit", "signal": "exit_short"}, EXIT, SHORT),
    ({"action": "close", "side": "buy"}, EXIT, None),
    ({"action": "open_long", "signal": "close"}, ENTRY, LONG),
    ({"action": "buy", "signal": "exit", "signal_type": "entry"}, ENTRY, LONG),
    ({"action": "sell", "signal": "exit", "market_position": "flat"}, FLATTEN, None),
    ({"action": "long", "market_position": "short"}, ENTRY, LONG),
    ({"action": "buy", "market_position": "short"}, ORDER, LONG),
    # TradingView is flat: everything is closed, whatever the word says.
    *(
        ({"action": word, "market_position": "FLAT"}, FLATTEN, None)
        for word in ("buy", "sell", "long", "entry", "exit", "exit_long", "cover", None)
    ),
    ({"action": "sell", "market_position_size": "0"}, FLATTEN, None),
    ({"action": "sell", "position_size": 0}, FLATTEN, None),
    # signal_type goes before both.
    *(
        ({"signal_type": kind, "action": word}, ENTRY, side)
        for kind in ("entry", "scale_in", "Scale-In", "scaleIn")
        for word, side in (("buy", LONG), ("sell", SHORT), ("short", SHORT), ("entry", LONG))
    ),
    ({"signal_type": "entry", "action": "buy", "market_position": "flat"}, ENTRY, LONG),
    ({"signal_type": "entry", "action": "sell", "market_position": "long"}, ENTRY, SHORT),
    ({"signal_type": "entry", "market_position": "short"}, ENTRY, SHORT),
    ({"signal_type": "entry", "position_size": -3}, ENTRY, SHORT),
    ({"signal_type": "entry", "action": "close", "market_position": "short"}, ENTRY, SHORT),
    ({"signal_type": "entry", "action": "entry", "market_position": "flat"}, ENTRY, LONG),
    *(
        ({"signal_type": kind, "action": word}, EXIT, side)
        for kind in ("exit", "scale_out")
        for word, side in (
            ("sell", LONG), ("buy", SHORT), ("exit", None), ("exit_long", LONG), ("cover", SHORT),
            ("long", None), ("short", None), ("entry", None), (None, None), ("", None),
        )
    ),
    ({"signal_type": "exit", "action": "sell", "market_position": "long"}, EXIT, LONG),
    ({"signal_type": "exit", "market_position": "flat"}, FLATTEN, None),
    ({"signal_type": "scale_out", "action": "sell", "market_position": "flat"}, FLATTEN, None),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "intent", "direction"), WORDS)
def test_what_an_order_does(
    fields: dict[str, Any], intent: Intent, direction: Direction | None
) -> None:
    found = read(**fields)
    assert (found.intent, found.direction) == (intent, direction)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"action": " "},
        {"market_position": "long"},
        {"signal_type": "entry"},
        {"signal_type": "entry", "market_position": "flat"},
        {"signal_type": "scale_in", "action": "exit_long"},
        {"action": "purchase"},
        {"action": "purchase", "signal_type": "exit"},
        {"action": 1},
        {"action": True},
        {"data": ["buy"]},
    ],
)
def test_actions_refused(fields: dict[str, Any]) -> None:
    assert fault_names(**fields) == ["action"]


def test_unknown_words_are_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidPayload) as caught:
        read(side="purchase\x00")
    text = caught.value.fields["action"]
    for part in ('"purchase\ufffd"', "buy", "entry_short", "close_long", '(sent as "side")'):
        assert part in text


# TradingView's own position.


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({}, None),
        ({"market_position": "long"}, PositionView(LONG, None)),
        ({"market_position": "flat"}, PositionView(None, Decimal(0))),
        ({"market_position": "flat", "market_position_size": "0.0"}, PositionView(None, Decimal())),
        ({"market_position": "short", "market_position_size": 2}, PositionView(SHORT, Decimal(2))),
        ({"market_position": "short", "position_size": -2}, PositionView(SHORT, Decimal(2))),
        ({"market_position": "short", "position_size": 2}, PositionView(SHORT, Decimal(2))),
        ({"position_size": "1.23"}, PositionView(LONG, Decimal("1.23"))),
        (
            {"position_size": "-123456789012.123456789012345678"},
            PositionView(SHORT, Decimal("123456789012.123456789012345678")),
        ),
        ({"market_position_size": 3, "position_size": -3}, PositionView(SHORT, Decimal(3))),
        ({"market_position_size": 3}, None),
        ({"market_position_size": 0}, PositionView(None, Decimal(0))),
    ],
)  # fmt: skip
def test_view_after(fields: dict[str, Any], after: PositionView | None) -> None:
    assert read(action="buy", **fields).view_after == after
    assert read(action="buy", **fields).view_before is None


def test_view_before() -> None:
    found = read(action="buy", prev_market_position="short", prev_market_position_size="4")
    assert found.view_before == PositionView(SHORT, Decimal(4))
    assert found.view_after is None
    assert read(action="buy", prev_market_position_size=0).view_before == PositionView(
        None, Decimal(0)
    )


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("market_position_size", {"market_position": "flat", "market_position_size": 1}),
        ("market_position_size", {"market_position": "flat", "position_size": -1}),
        ("market_position_size", {"market_position": "long", "position_size": -1}),
        ("market_position_size", {"market_position_size": -1}),
        ("market_position_size", {"position_size": "none"}),
        ("market_position", {"position": "both"}),
        ("prev_market_position", {"prevPosition": "buy"}),
        (
            "prev_market_position_size",
            {"prev_market_position": "flat", "prev_market_position_size": 1},
        ),
        ("prev_market_position_size", {"prev_market_position_size": -1}),
    ],
)
def test_views_refused(field: str, fields: dict[str, Any]) -> None:
    assert fault_names(action="buy", **fields) == [field]


def test_flat_closes_all_whatever_the_quantity_is() -> None:
    flat: dict[str, Any] = {"action": "sell", "market_position": "flat"}
    assert read(**flat, quantity="0").quantity is None
    assert read(**flat, quantity="2").quantity == 2
    assert fault_names(**flat, quantity="-1") == ["quantity"]
    assert fault_names(action="sell", quantity="0") == ["quantity"]
    assert fault_names(**flat, signal_type="entry", quantity="0") == ["quantity"]
