"""Drift: TradingView's position is another than the one in the lots."""

from __future__ import annotations

from decimal import Decimal

from audit.shown import digits
from trades.direction import Direction
from trades.numeric import exactly
from webhooks.models import WebhookLog
from webhooks.signal import PositionView, Signal


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


def _told(view: PositionView | None) -> str:
    if view is None:
        return ""
    if view.direction is None:
        return "flat"
    side = Direction(view.direction).value
    return side if view.size is None else f"{side} {digits(view.size)}"
