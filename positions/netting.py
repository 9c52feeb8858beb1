"""What an order does to the open lots of its book. Pure: no database, no clock.

The rule is TradingView's: lots are closed first in, first out, and what an order
has left over after closing every opposite lot opens a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from faults import NoOpenPosition
from trades.direction import Direction
from trades.numeric import exactly


class Intent(StrEnum):
    """What an order means to do; its effect depends on the open position."""

    #: An explicit entry: opens, adds, or turns the position round.
    ENTRY = "entry"
    #: An explicit exit: closes up to its quantity, and never opens anything.
    EXIT = "exit"
    #: TradingView is flat after it: closes whatever is open.
    FLATTEN = "flatten"
    #: A plain buy or sell: a signed quantity against the open position.
    ORDER = "order"


class Effect(StrEnum):
    """What came of an order; the `action` of an answer."""

    #: The book was flat and has a lot now.
    OPENED = "opened"
    #: One more lot in the direction that was open.
    ADDED = "added"
    #: Some of the position was closed, and some is left.
    REDUCED = "reduced"
    #: The book is flat now.
    CLOSED = "closed"
    #: Everything was closed, and a lot opened the other way.
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class OpenLot:
    """An open lot as netting sees it."""

    id: int
    direction: Direction
    #: Contracts, positive.
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """A quantity to net against the open lots."""

    intent: Intent
    #: The side entered (ENTRY, ORDER) or closed (EXIT); None closes either.
    direction: Direction | None
    #: Contracts, positive; None: all of the position (EXIT, FLATTEN).
    quantity: Decimal | None
    #: For an ENTRY against an open position: whether its quantity holds what it
    #: closes too, as TradingView's `strategy.order.contracts` does on a reversal.
    #: Otherwise, and where it is no more than what is open, the quantity is what it
    #: opens: an entry always opens something.
    counts_closed: bool = False


@dataclass(frozen=True, slots=True)
class Closing:
    """So much of one lot is closed."""

    lot: OpenLot
    quantity: Decimal

    @property
    def is_partial(self) -> bool:
        return self.quantity < self.lot.quantity


@dataclass(frozen=True, slots=True)
class Opening:
    """A new lot."""

    direction: Direction
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Netting:
    """The whole effect of one order on one book."""

    effect: Effect
    #: In the order the lots were opened.
    closings: tuple[Closing, ...]
    opening: Opening | None
    #: The signed position before and after: long is positive.
    before: Decimal
    after: Decimal

    @property
    def quantity(self) -> Decimal:
        """Contracts traded: what was closed and what was opened."""
        with exactly():
            closed = sum((closing.quantity for closing in self.closings), Decimal(0))
            return closed + (self.opening.quantity if self.opening else Decimal(0))


def signed_position(lots: Sequence[OpenLot]) -> Decimal:
    """The position of these lots: long is positive, short negative, flat zero."""
    with exactly():
        return sum((lot.quantity * lot.direction.sign for lot in lots), Decimal(0))


def net(order: Order, lots: Sequence[OpenLot]) -> Netting:
    """Net an order against a book's open lots, given in the order they were opened.

    Raises NoOpenPosition if an exit finds nothing on its side to close.
    """
    with exactly():
        held = lots[0].direction if lots else None
        before = signed_position(lots)
        size = abs(before)
        if order.intent in (Intent.EXIT, Intent.FLATTEN):
            if held is None or order.direction not in (None, held):
                raise NoOpenPosition
            to_close = size if order.quantity is None else min(order.quantity, size)
            opening = None
        else:
            if order.direction is None or order.quantity is None:
                raise ValueError("An order that may open a lot has a direction and a quantity.")
            opposite = size if held is order.direction.opposite else Decimal(0)
            counts_closed = order.counts_closed and order.quantity > opposite
            if order.intent is Intent.ENTRY and not counts_closed:
                to_close, to_open = opposite, order.quantity
            else:
                to_close = min(order.quantity, opposite)
                to_open = order.quantity - to_close
            opening = Opening(order.direction, to_open) if to_open else None
        closings = _first_in_first_out(lots, to_close)
        after = before
        if held is not None:
            after -= to_close * held.sign
        if opening is not None:
            after += opening.quantity * opening.direction.sign
        return Netting(_effect(before, closings, opening, after), closings, opening, before, after)


def _first_in_first_out(lots: Sequence[OpenLot], quantity: Decimal) -> tuple[Closing, ...]:
    closings = []
    for lot in lots:
        if not quantity:
            break
        closed = min(lot.quantity, quantity)
        closings.append(Closing(lot, closed))
        quantity -= closed
    return tuple(closings)


def _effect(
    before: Decimal, closings: Sequence[Closing], opening: Opening | None, after: Decimal
) -> Effect:
    if opening is None:
        return Effect.REDUCED if after else Effect.CLOSED
    if closings:
        return Effect.REVERSED
    return Effect.ADDED if before else Effect.OPENED
