"""An alert, understood: what TradingView ordered, in the field's own terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from positions.netting import Intent
from trades.direction import Direction


@dataclass(frozen=True, slots=True)
class PositionView:
    """TradingView's own position at one moment, as far as the message told it."""

    #: long, short, or None for flat.
    direction: Direction | None
    #: Contracts, never negative; None where only the side was told.
    size: Decimal | None


@dataclass(frozen=True, slots=True)
class Signal:
    """One order of one book, read from one message. Money and quantities are Decimal."""

    strategy: str
    #: `EXCHANGE:TICKER`, or the bare ticker where the message names no exchange.
    symbol: str
    intent: Intent
    #: The side that is bought or sold into (ENTRY, ORDER), or the side that is
    #: closed (EXIT); None closes whichever side is open, as FLATTEN always does.
    direction: Direction | None
    #: Contracts; None asks for the default (Contract, `quantity`).
    quantity: Decimal | None
    #: In quote currency for one unit.
    price: Decimal
    #: The order's own time in UTC (the bar's, where told); None: time of receipt counts.
    time: datetime | None
    #: When TradingView sent it (`timenow`, or `timestamp` beside the bar's time), where told apart.
    sent_at: datetime | None = None
    #: Whether `time` is that: the message tells no other.
    time_is_sent: bool = False
    #: `{{strategy.order.id}}`: an order's name, which repeats.
    order_id: str = ""
    #: TradingView's position before and after the order; None where not told.
    view_before: PositionView | None = None
    view_after: PositionView | None = None
    #: The profit the message reports, in quote currency.
    pnl_reported: Decimal | None = None
    #: In quote currency, for the whole order.
    commission: Decimal | None = None
    currency: str = ""
    interval: str = ""
    comment: str = ""
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    is_test: bool = False
    #: What the sender gave to tell this alert from the next one; "" if nothing.
    given_key: str = ""
    #: The side that an EXIT or a FLATTEN leaves, as its words tell it; None where they do not.
    leaves: Direction | None = None
    #: Fields no part of the Contract names, as they came.
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def book(self) -> str:
        """The book's name: one strategy on one symbol."""
        return book_name(self.strategy, self.symbol)


def book_name(strategy: str, symbol: str) -> str:
    # U+001F cannot stand in either part: payloads with control characters are refused.
    return f"{strategy}\x1f{symbol}"


def book_parts(book: str) -> tuple[str, str]:
    """The strategy and the symbol of a book's name, each "" where it tells none."""
    strategy, _, symbol = book.partition("\x1f")
    return strategy, symbol
