"""Drift: TradingView's position is another than the one in the lots."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from audit.shown import digits
from trades.direction import Direction
from trades.numeric import exactly
from webhooks.models import WebhookLog
from webhooks.signal import PositionView, Signal


@dataclass(frozen=True, slots=True)
class BookApart:
    """A book whose position was another than TradingView's when that was last told."""

    strategy: str
    symbol: str
    #: `webhook_logs.id` of the alert that told it, and when that was received, UTC.
    alert: int
    received_at: datetime
    #: The position after that alert, each as "long 2", "short 1.5", "flat"; TradingView's may be
    #: its side alone.
    tradingview: str
    here: str

    def as_json(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        return {**asdict(self), "received_at": self.received_at.isoformat()}


def mark_drift(log: WebhookLog, signal: Signal, before: Decimal, after: Decimal) -> None:
    """Note both views of the position around an order, and whether they differ.

    A difference before it means an alert was missed; one after it, that its
    quantity was not what TradingView traded. `before` and `after` are the signed
    position in the lots.
    """
    log.position_before, log.position_after = before, after
    log.tradingview_before = _told(signal.view_before)
    log.tradingview_after = _told(signal.view_after)
    log.drift = differs(signal.view_before, before) or differs(signal.view_after, after)


def differs(view: PositionView | None, position: Decimal) -> bool:
    """Whether TradingView's view, where it was told, is another than this signed position."""
    if view is None:
        return False
    if view.direction is None:
        return position != 0
    with exactly():
        signed = position * view.direction.sign
    return signed <= 0 if view.size is None else signed != view.size


def books_apart(strategy: str | None = None) -> list[BookApart]:
    """The books that TradingView's position was last told apart from, of one strategy or of all.

    Drift before an order that left both sides the same is over: the book is none of them.
    """
    drifted = WebhookLog.objects.filter(drift=True).order_by("strategy", "symbol")
    if strategy is not None:
        drifted = drifted.filter(strategy=strategy)
    found = []
    for name, symbol in drifted.values_list("strategy", "symbol").distinct():
        told = WebhookLog.objects.filter(strategy=name, symbol=symbol).exclude(tradingview_after="")
        # Ids do not tell it of an exit that waited for its entry.
        last = told.order_by("processed_at", "id").last()
        if last is None or not differs(_view(last.tradingview_after), _position_of(last)):
            continue
        here = _told(_view_of(_position_of(last)))
        found.append(
            BookApart(name, symbol, last.pk, last.received_at, last.tradingview_after, here)
        )
    return found


def _position_of(log: WebhookLog) -> Decimal:
    return log.position_after or Decimal()


def _view_of(position: Decimal) -> PositionView:
    side = Direction.LONG if position > 0 else Direction.SHORT
    return PositionView(side, abs(position)) if position else PositionView(None, Decimal())


def _view(told: str) -> PositionView:
    """What `_told` tells, read."""
    side, _, size = told.partition(" ")
    direction = None if side == "flat" else Direction(side)
    return PositionView(direction, Decimal(size) if size else None)


def _told(view: PositionView | None) -> str:
    if view is None:
        return ""
    if view.direction is None:
        return "flat"
    side = Direction(view.direction).value
    return side if view.size is None else f"{side} {digits(view.size)}"
