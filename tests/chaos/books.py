"""What alerts lead to, worked out a second time: first in, first out, from DESIGN alone.

Written for the checker and shared with nothing: an error in the server's netting must not
be an error here as well.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from tests.chaos.plan import Alert


@dataclass(slots=True)
class OpenLot:
    """What is left of what one alert opened."""

    entry: Alert
    #: Long is positive.
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Closed:
    """A part of a lot that was closed: a trade."""

    entry: str
    exit: str
    direction: str
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal

    @property
    def gross(self) -> Decimal:
        """What it made before commission."""
        sign = 1 if self.direction == "long" else -1
        return (self.exit_price - self.entry_price) * self.quantity * sign


@dataclass(frozen=True, slots=True)
class Received:
    """An alert as a log has it."""

    alert: Alert
    at: datetime
    #: Which log.
    log: int
    #: Whether the server gave up waiting for this exit's entry.
    was_given_up: bool


@dataclass(slots=True)
class Book:
    """One book, after the alerts that were given to `apply` in the order they took effect."""

    park: timedelta
    #: How far from the end of its waiting time an exit may be given up: the server decides
    #: by its clock, and an entry may be on its way into the log at that moment.
    slack: timedelta
    lots: deque[OpenLot] = field(default_factory=deque)
    trades: list[Closed] = field(default_factory=list)
    #: Names of the alerts that had an effect.
    effective: list[str] = field(default_factory=list)
    waiting: list[Received] = field(default_factory=list)

    @property
    def position(self) -> Decimal:
        return sum((lot.quantity for lot in self.lots), Decimal(0))

    def apply(self, received: Received) -> None:
        """Apply one alert, and the exits that had waited for it."""
        opened = self._carry_out(received.alert)
        if opened is None:
            self.waiting.append(received)
        elif opened:
            self._release(received)

    def _release(self, entry: Received) -> None:
        still_waiting = []
        for exit in self.waiting:
            waited = entry.at - exit.at
            is_over = waited > self.park - (self.slack if exit.was_given_up else timedelta(0))
            # A host knows its own log alone: what has waited in another one comes too late.
            is_over |= exit.was_given_up and exit.log != entry.log
            its, order = exit.alert, entry.alert
            was_before = (its.time, its.sent_at) < (order.time, order.sent_at)
            if is_over or was_before or self._carry_out(its) is None:
                still_waiting.append(exit)
        self.waiting = still_waiting

    def _carry_out(self, alert: Alert) -> bool | None:
        """Whether it opened a lot; None: an exit that found nothing to close."""
        position = self.position
        held = (position > 0) - (position < 0)
        if alert.intent in ("exit", "flatten"):
            if not held or alert.side not in (None, held):
                return None
            to_close = abs(position) if alert.quantity is None else alert.quantity
            to_open = Decimal(0)
        else:
            assert alert.side is not None and alert.quantity is not None
            opposite = abs(position) if held == -alert.side else Decimal(0)
            if alert.intent == "entry":
                to_close, to_open = opposite, alert.quantity
            else:
                to_close = min(opposite, alert.quantity)
                to_open = alert.quantity - to_close
        self._close(to_close, alert)
        if to_open:
            assert alert.side is not None
            self.lots.append(OpenLot(alert, alert.side * to_open))
        self.effective.append(alert.name)
        return bool(to_open)

    def _close(self, quantity: Decimal, alert: Alert) -> None:
        while quantity and self.lots:
            lot = self.lots[0]
            part = min(quantity, abs(lot.quantity))
            sign = 1 if lot.quantity > 0 else -1
            self.trades.append(
                Closed(
                    lot.entry.name,
                    alert.name,
                    "long" if sign == 1 else "short",
                    part,
                    lot.entry.price,
                    alert.price,
                )
            )
            quantity -= part
            lot.quantity -= sign * part
            if not lot.quantity:
                self.lots.popleft()
