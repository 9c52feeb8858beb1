"""The messages for TradingView's alert dialog, and what TradingView fills into them.

The one source of what `make serve` prints, the alert builder offers and README.md shows.
Numbers stand in quotes, so that a message stays JSON where TradingView fills in nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: What a strategy is called until somebody says otherwise.
EXAMPLE_STRATEGY: Final = "My strategy"

_STRATEGY_ORDER: Final = {
    "strategy": EXAMPLE_STRATEGY,
    "symbol": "{{exchange}}:{{ticker}}",
    "action": "{{strategy.order.action}}",
    "quantity": "{{strategy.order.contracts}}",
    "price": "{{strategy.order.price}}",
    "currency": "{{syminfo.currency}}",
    "time": "{{time}}",
    "timenow": "{{timenow}}",
    "order_id": "{{strategy.order.id}}",
    "market_position": "{{strategy.market_position}}",
    "market_position_size": "{{strategy.market_position_size}}",
    "prev_market_position": "{{strategy.prev_market_position}}",
    "prev_market_position_size": "{{strategy.prev_market_position_size}}",
    "interval": "{{interval}}",
    "comment": "{{strategy.order.comment}}",
}


def _indicator(action: str, signal_type: str, **fields: str) -> dict[str, object]:
    return {
        "strategy": EXAMPLE_STRATEGY,
        "symbol": "{{exchange}}:{{ticker}}",
        "signal_type": signal_type,
        "action": action,
        **fields,
        "price": "{{close}}",
        "currency": "{{syminfo.currency}}",
        "time": "{{time}}",
        "timenow": "{{timenow}}",
        "interval": "{{interval}}",
    }


@dataclass(frozen=True, slots=True)
class Message:
    """One message to paste."""

    title: str
    fields: Mapping[str, object]

    def text(self, strategy: str) -> str:
        """The message for this strategy: JSON, a field a line."""
        return json.dumps({**self.fields, "strategy": strategy}, indent=2, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Case:
    """What somebody wants to be alerted of, and the messages that do it."""

    name: str
    title: str
    #: What to know before one pastes them.
    notes: tuple[str, ...]
    messages: tuple[Message, ...]


CASES: Final = (
    Case(
        "strategy",
        "A strategy's orders",
        (
            "One alert for the whole strategy: condition “your strategy”, “order fills”. Every "
            "order it fills is sent by the same message.",
            "The four position fields are TradingView's own view: they show an alert that was "
            "missed, and turn a position round by the right quantity.",
        ),
        (Message("Every order", _STRATEGY_ORDER),),
    ),
    Case(
        "indicator",
        "An indicator's signals",
        (
            "One alert for each signal, triggered “once per bar close”; an indicator knows no "
            "orders, so each message says what it means.",
            "Type the quantity in. An exit without one closes the whole position.",
            "Each side has an exit of its own. Alerts may come out of order: an exit that comes "
            "after the other side's entry must not close what that one opened.",
        ),
        (
            Message("Enter long", _indicator("buy", "entry", quantity="1")),
            Message("Enter short", _indicator("sell", "entry", quantity="1")),
            Message("Exit long", _indicator("exit_long", "exit")),
            Message("Exit short", _indicator("exit_short", "exit")),
        ),
    ),
    Case(
        "futures",
        "Futures, by contract",
        (
            "On a continuous chart (ES1!) the ticker is the same before and after the roll, and "
            "a position in the old contract would be netted with the new one. Type the contract "
            "you trade, as TradingView spells it, and change the alert when you roll.",
            "What a point is worth is known of the usual futures, by ES1! as by ESZ2026; of "
            "others it is set with the strategy, in the admin.",
        ),
        (Message("Every order", {**_STRATEGY_ORDER, "symbol": "CME_MINI:ESZ2026"}),),
    ),
    Case(
        "stops",
        "With stop and target",
        (
            "Plot both levels in the script, as its first two plots; {{plot_0}} and {{plot_1}} "
            "are then what they show at the alert's bar.",
            "Both need a number on every bar, 0 where there is none: plot(nz(stop)). Where a plot "
            "is na, the alert says NaN and is refused, order and all.",
            "They are kept with the alert. Nothing here places or watches orders: the exit is "
            "logged when its own alert comes.",
        ),
        (
            Message(
                "Every order",
                {**_STRATEGY_ORDER, "stop_loss": "{{plot_0}}", "take_profit": "{{plot_1}}"},
            ),
        ),
    ),
    Case(
        "test",
        "A test",
        (
            "It is answered and logged in full, moves no position and makes no trade. Without "
            "placeholders, so it can be sent from anywhere, the field below included.",
        ),
        (
            Message(
                "Test",
                {
                    "strategy": EXAMPLE_STRATEGY,
                    "symbol": "BINANCE:BTCUSDT",
                    "action": "buy",
                    "quantity": "1",
                    "price": "67432.50",
                    "is_test": True,
                },
            ),
        ),
    ),
)

#: The message of a strategy's orders.
ALERT_MESSAGE: Final = CASES[0].messages[0].text(EXAMPLE_STRATEGY)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What TradingView puts in place of {{name}}."""

    name: str
    meaning: str
    #: Such as it may come.
    example: str

    @property
    def text(self) -> str:
        return f"{{{{{self.name}}}}}"


#: After TradingView's help page on variables in alerts.
PLACEHOLDERS: Final = (
    Placeholder(
        "exchange", "The symbol's exchange; delayed data ends it in _DL or _DLY", "BINANCE"
    ),
    Placeholder("ticker", "The symbol of the alert's chart", "BTCUSDT"),
    Placeholder("strategy.order.action", "buy or sell", "buy"),
    Placeholder("strategy.order.contracts", "How many contracts the order filled", "0.5"),
    Placeholder("strategy.order.price", "The price it was filled at", "67432.50"),
    Placeholder("syminfo.currency", "The currency of the symbol's prices", "USDT"),
    Placeholder("strategy.order.id", "The order's name in the script; it repeats", "Long"),
    Placeholder(
        "strategy.order.comment", "The order's comment; its name where it has none", "Breakout"
    ),
    Placeholder("strategy.market_position", "The position after it: long, short, flat", "long"),
    Placeholder("strategy.market_position_size", "Its size, never negative", "0.5"),
    Placeholder("strategy.prev_market_position", "The position before it", "flat"),
    Placeholder("strategy.prev_market_position_size", "Its size", "0"),
    Placeholder("time", "When the bar began, in UTC", "2026-01-05T14:30:00Z"),
    Placeholder("timenow", "When the alert was sent, in UTC", "2026-01-05T14:30:02Z"),
    Placeholder("interval", "The chart's interval", "15"),
    Placeholder("close", "The bar's last price, likewise open, high, low", "67432.50"),
    Placeholder("plot_0", "What the script's first plot shows; up to plot_19", "66000"),
    Placeholder("plot_1", "What its second plot shows", "70000"),
)


def filled_in(message: str) -> tuple[str, list[Placeholder]]:
    """The message as TradingView might send it, and which placeholders were filled in."""
    filled = [each for each in PLACEHOLDERS if each.text in message]
    for placeholder in filled:
        message = message.replace(placeholder.text, placeholder.example)
    return message, filled
