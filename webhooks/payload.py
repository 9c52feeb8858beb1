"""Reading an alert: bytes in, a Signal or every fault at once out.

Pure: no database, no clock, no settings. The same bytes give the same Signal
today and when the log is replayed next year.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Final

from audit.shown import counted
from faults import InvalidJSON, InvalidPayload
from positions.netting import Intent
from trades.direction import Direction
from webhooks import values
from webhooks.decoding import decode
from webhooks.fields import FIELDS
from webhooks.intents import ACTIONS, SIDES, SIGNAL_TYPES, in_one_word, what_it_does
from webhooks.moments import moment
from webhooks.signal import PositionView, Signal, book_name
from webhooks.telling import Told
from webhooks.values import Unreadable

#: The words of a field, looked up once and not with each alert.
_SIGNAL_TYPE: Final = values.word(*SIGNAL_TYPES)
_ACTION: Final = values.word(*ACTIONS)
_SIDE: Final = values.word(*SIDES)
_MOMENT_IF_ANY: Final = values.if_any(moment)
_CURRENCY: Final = values.if_any(values.currency)


def parse(body: bytes, given_key: str = "") -> Signal:
    """The order that a message asks for.

    `given_key` is the Idempotency-Key header, which goes before the field.
    Raises InvalidJSON, or InvalidPayload with every fault by its field.
    """
    told = Told(decode(body))
    told.prefer("idempotency_key", given_key)

    symbol = _symbol(told)
    price = told.read("price", values.positive)
    if price is None:
        told.require("price")
    side, size = _position(told, "market_position", signed=("position_size",))
    side_before, size_before = _position(told, "prev_market_position")
    intent, meant = _intent(told, side)
    time, sent_at, time_is_sent = _times(told)

    signal = Signal(
        strategy=told.read("strategy", values.name(100)) or symbol,
        symbol=symbol,
        intent=intent,
        direction=None if intent is Intent.FLATTEN else meant,
        quantity=_quantity(told, intent),
        # Where this stands in for a price, there is a fault, and no signal.
        price=price or Decimal(0),
        time=time,
        sent_at=sent_at,
        time_is_sent=time_is_sent,
        order_id=told.read("order_id", values.label) or "",
        view_before=_view(side_before, size_before),
        view_after=_view(side, size),
        pnl_reported=told.read("pnl", values.number),
        commission=told.read("commission", values.number),
        currency=told.read("currency", _CURRENCY) or "",
        interval=told.read("interval", values.label) or "",
        comment=told.read("comment", values.remark) or "",
        stop_loss=told.read("stop_loss", values.level),
        take_profit=told.read("take_profit", values.level),
        is_test=told.read("is_test", values.flag) or False,
        given_key=told.read("idempotency_key", values.name(200)) or "",
        leaves=meant if intent in (Intent.EXIT, Intent.FLATTEN) else None,
        unknown=told.unknown,
    )
    if told.faults:
        names = [field for field in FIELDS if field in told.faults]
        raise InvalidPayload(
            f"{counted(len(names), 'field')} cannot be read: {', '.join(names)}",
            fields={field: told.faults[field] for field in names},
        )
    return signal


@dataclass(frozen=True, slots=True)
class Subject:
    """What a message speaks of, as far as it can be read; it need be no order."""

    #: "" where it tells none, or one that no order may have.
    strategy: str = ""
    symbol: str = ""
    is_test: bool = False
    #: Of the order; UTC.
    time: datetime | None = None

    @property
    def book(self) -> str:
        """ "" where it tells neither."""
        return book_name(self.strategy, self.symbol) if self.strategy or self.symbol else ""


def subject_of(body: bytes) -> Subject:
    """What a message speaks of, by the rules by which an order is read. Raises nothing."""
    try:
        told = Told(decode(body))
    except InvalidJSON:
        return Subject()
    symbol = _symbol(told)
    strategy = told.read("strategy", values.name(100))
    if not told.faults.keys().isdisjoint(("symbol", "exchange")):
        symbol = ""
    if "strategy" in told.faults:
        strategy = ""
    return Subject(
        strategy=symbol if strategy is None else strategy,
        symbol=symbol,
        is_test=told.read("is_test", values.flag) or False,
        time=_times(told)[0],
    )


def _times(told: Told) -> tuple[datetime | None, datetime | None, bool]:
    """The order's time, when it was sent where a message tells that apart, whether the first is
    that.

    Of both, the bar's time is the order's: it is what the list of trades shows.
    """
    sent_at = told.read("time", moment, only=("timenow",))
    time = told.read("time", moment, without=("timenow", "timestamp"))
    if time is None:
        time = told.read("time", moment, only=("timestamp",))
    elif sent_at is None:
        # Mostly {{timenow}} by another name; beside the bar's time it may be anything.
        sent_at = told.read("time", _MOMENT_IF_ANY, only=("timestamp",))
    return (sent_at, None, sent_at is not None) if time is None else (time, sent_at, False)


def _symbol(told: Told) -> str:
    symbol = told.read("symbol", values.name(100))
    exchange = told.read("exchange", values.name(100))
    if symbol is None:
        told.require("symbol")
        return ""
    if exchange is None or ":" in symbol:
        return symbol
    symbol = f"{exchange}:{symbol}"
    if len(symbol) > 100:
        told.fault("symbol", f"with its exchange it has {len(symbol)} characters; send at most 100")
    return symbol


def _intent(told: Told, side: str | None) -> tuple[Intent, Direction | None]:
    signal_type = told.read("signal_type", _SIGNAL_TYPE)
    action = told.read("action", _ACTION)
    if action:
        action = in_one_word(action, _others(told, signal_type))
    # Where one of them cannot be read, what the others lack cannot be told.
    if told.faults.keys().isdisjoint(("signal_type", "action", "market_position")):
        try:
            return what_it_does(signal_type, action, side)
        except Unreadable as fault:
            told.fault("action", str(fault))
    return Intent.ORDER, None


def _quantity(told: Told, intent: Intent) -> Decimal | None:
    if intent is Intent.FLATTEN:
        # All is closed anyway, and who sends {{strategy.market_position_size}} sends 0 here.
        return told.read("quantity", values.not_negative) or None
    return told.read("quantity", values.positive)


def _others(told: Told, signal_type: str | None) -> Iterator[str]:
    """The words of `action` by its names but the first; of what enters, none that exits."""
    enters = signal_type is not None and SIGNAL_TYPES[signal_type] is Intent.ENTRY
    # Mostly there is one name, and its word has been read.
    for value in islice(told.each("action"), 1, None):
        with suppress(Unreadable):
            word = _ACTION(value)
            if not (enters and ACTIONS[word][0] is Intent.EXIT):
                yield word


def _position(
    told: Told, field: str, signed: tuple[str, ...] = ()
) -> tuple[str | None, Decimal | None]:
    """TradingView's side and size at one moment; the alias in `signed` tells both at once."""
    side = told.read(field, _SIDE)
    size = told.read(f"{field}_size", values.not_negative, without=signed)
    if signed and (side is None or size is None):
        both = told.read(f"{field}_size", values.number, only=signed)
        if both is not None:
            # copy_abs, since abs() rounds.
            size = both.copy_abs() if size is None else size
            side = side or ("long" if both > 0 else "short" if both < 0 else "flat")
            if side == "long" and both < 0:
                told.fault(f"{field}_size", f"{both} with a long position; send its size, or short")
    if side is None and size == 0:
        side = "flat"
    if side == "flat" and size:
        told.fault(f"{field}_size", f"{size} with a flat position; send 0, or the side")
    return side, size


def _view(side: str | None, size: Decimal | None) -> PositionView | None:
    if side is None:
        return None
    if side == "flat":
        return PositionView(None, Decimal(0))
    return PositionView(Direction(side), size)
