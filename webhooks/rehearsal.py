"""What a message would do, without doing it: read as it would be live, netted, not written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from django.utils import timezone

from faults import Fault, InvalidJSON, InvalidPayload, StrategyDisabled, StrategyNotAllowed
from positions.netting import Netting, net
from positions.open_lots import OpenLots, all_open_lots
from trades.models import Strategy
from trades.numeric import plain
from webhooks.credentials import Token, cut_tokens, may_speak_for
from webhooks.drift import differs
from webhooks.models import WebhookLog
from webhooks.orders import order_of
from webhooks.payload import parse
from webhooks.sameness import find_same
from webhooks.signal import PositionView, Signal


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a message is read, and what would come of it now."""

    #: None where it cannot be read.
    signal: Signal | None
    #: What would keep it from having an effect.
    fault: Fault | None = None
    #: What it would do to the open position.
    netting: Netting | None = None
    #: The book's signed position now.
    position: Decimal = Decimal(0)
    #: Whether the strategy is known; its first alert makes it.
    is_known: bool = False
    #: The alert that it would be a duplicate of.
    same: WebhookLog | None = None
    #: Whether TradingView's position, as the message tells it, is another one.
    drifts: bool = False

    def told(self) -> Iterator[tuple[str, str]]:
        """Every field that was read, as text; fields nobody told are left out."""
        if self.signal is None:
            return
        for field in fields(self.signal):
            value = getattr(self.signal, field.name)
            if value not in (None, "", {}, False):
                yield _LABELS.get(field.name, field.name.replace("_", " ")), _shown(value)


def read(message: bytes) -> Rehearsal:
    """Read a message, and say nothing of what would come of it."""
    try:
        return Rehearsal(parse(cut_tokens(message)))
    except (InvalidJSON, InvalidPayload) as unreadable:
        return Rehearsal(None, unreadable)


def rehearse(message: bytes, token: Token | None = None) -> Rehearsal:
    """Read a message and net it against its book's open lots.

    With a token the alert is one that came with it. Nothing is locked and nothing is
    written, so live alerts may come between.
    """
    reading = read(message)
    if (signal := reading.signal) is None:
        return reading
    known = Strategy.objects.filter(name=signal.strategy).first()
    strategy = known or Strategy(name=signal.strategy)
    lots = all_open_lots(known, signal.symbol) if known else OpenLots()
    position = lots.position
    try:
        _check_allowed(signal, strategy, token)
        netting, fault = net(order_of(signal, strategy), lots.as_netted()), None
    except Fault as found:
        netting, fault = None, found
    after = netting.after if netting else position
    return Rehearsal(
        signal,
        fault,
        netting,
        position,
        is_known=known is not None,
        same=find_same(signal, timezone.now()),
        drifts=differs(signal.view_before, position) or differs(signal.view_after, after),
    )


def _check_allowed(signal: Signal, strategy: Strategy, token: Token | None) -> None:
    if token is not None and not may_speak_for(token.strategies, signal.strategy):
        raise StrategyNotAllowed
    if not strategy.enabled:
        raise StrategyDisabled


_LABELS = {
    "time": "order's time",
    "sent_at": "sent at",
    "time_is_sent": "that is when it was sent",
    "view_before": "TradingView's position before",
    "view_after": "TradingView's position after",
    "pnl_reported": "reported P&L",
    "given_key": "idempotency key",
    "unknown": "other fields, kept",
    "is_test": "test",
}


def _shown(value: Any) -> str:
    match value:
        case True:
            return "yes"
        case Decimal():
            return f"{plain(value):f}"
        case PositionView(direction=None):
            return "flat"
        case PositionView(direction=direction, size=size):
            return f"{direction} {'' if size is None else f'{plain(size):f}'}".rstrip()
        case dict():
            return ", ".join(f"{name}: {held}" for name, held in value.items())
        case _ if hasattr(value, "isoformat"):
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
        case _:
            return str(value)
