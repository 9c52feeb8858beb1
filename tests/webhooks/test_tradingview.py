"""Whatever a message tells of an order, the position becomes the one TradingView has."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from positions.netting import OpenLot, net
from trades.direction import Direction
from trades.models import Strategy
from webhooks.orders import order_of
from webhooks.payload import parse

STRATEGY = Strategy(name="Alpha")


@dataclass(frozen=True)
class Filled:
    """An order as TradingView's broker emulator fills it; positions are signed."""

    #: As the script asked: entry, order, or close.
    call: str
    asked: Decimal
    #: Contracts bought, or negative those sold.
    traded: Decimal
    before: Decimal

    @property
    def after(self) -> Decimal:
        return self.before + self.traded

    @property
    def opens(self) -> bool:
        """Whether it ends on the side it trades into."""
        return self.after * self.traded > 0


def fill(before: Decimal, call: str, sign: int, asked: Decimal) -> Filled | None:
    """What `strategy.entry`, `strategy.order` and `strategy.close` do (Pine Script's manual)."""
    if call == "close":
        if not before:
            return None
        size = min(asked, abs(before))
        return Filled(call, size, -size if before > 0 else size, before)
    # An entry against the position closes all of it on top of what it opens.
    turned = abs(before) if call == "entry" and before * sign < 0 else Decimal(0)
    return Filled(call, asked, sign * (asked + turned), before)


def _side(position: Decimal) -> str:
    return "long" if position > 0 else "short" if position < 0 else "flat"


def _trade(filled: Filled) -> dict[str, Any]:
    """{{strategy.order.action}} and {{strategy.order.contracts}}"""
    return {"action": "buy" if filled.traded > 0 else "sell", "contracts": abs(filled.traded)}


def _word(filled: Filled) -> dict[str, Any]:
    """The words of a script's own messages, with TradingView's contracts."""
    word = "exit" if filled.call == "close" else "long" if filled.traded > 0 else "short"
    return {"action": word, "contracts": abs(filled.traded)}


def _own_quantity(filled: Filled) -> dict[str, Any]:
    """The same with the quantity the script asked for, which tells nothing of what it closes."""
    if filled.call == "order":
        return _word(filled)
    return _word(filled) | {"contracts": filled.asked}


def _typed(filled: Filled) -> dict[str, Any]:
    return _trade(filled) | {"signal_type": "entry" if filled.opens else "exit"}


def _side_after(filled: Filled) -> dict[str, Any]:
    return {"market_position": _side(filled.after)}


def _after(filled: Filled) -> dict[str, Any]:
    return _side_after(filled) | {"market_position_size": abs(filled.after)}


def _signed_after(filled: Filled) -> dict[str, Any]:
    return {"position_size": filled.after}


def _sides(filled: Filled) -> dict[str, Any]:
    return _side_after(filled) | {"prev_market_position": _side(filled.before)}


def _all(filled: Filled) -> dict[str, Any]:
    return _after(filled) | _sides(filled) | {"prev_market_position_size": abs(filled.before)}


Part = Callable[[Filled], dict[str, Any]]

#: How a message tells the order, and what of the position. Words alone do not tell whether
#: contracts hold what they close.
TEMPLATES: list[tuple[Part, ...]] = [
    (_trade,),
    *(
        (order, position)
        for order in (_trade, _word, _typed)
        for position in (_side_after, _after, _signed_after, _sides, _all)
    ),
    *((_own_quantity, position) for position in (_after, _signed_after, _all)),
]

QUANTITY = st.integers(1, 5).map(Decimal)
CALLS = st.lists(
    st.tuples(st.sampled_from(["entry", "order", "close"]), st.sampled_from([1, -1]), QUANTITY),
    max_size=12,
)


@pytest.mark.parametrize(
    "template", TEMPLATES, ids=lambda parts: "".join(p.__name__ for p in parts)
)
@given(calls=CALLS)
def test_the_position_is_tradingviews(
    template: Sequence[Part], calls: list[tuple[str, int, Decimal]]
) -> None:
    position = Decimal(0)
    for call, sign, asked in calls:
        if (filled := fill(position, call, sign, asked)) is None:
            continue
        message = {"symbol": "X", "price": 1}
        for part in template:
            message |= part(filled)
        signal = parse(json.dumps(message, default=str).encode())
        side = Direction.LONG if position > 0 else Direction.SHORT
        lots = [OpenLot(1, side, abs(position))] if position else []
        assert net(order_of(signal, STRATEGY), lots).after == filled.after, message
        position = filled.after
