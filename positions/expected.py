"""What a book must hold, booked in memory by the code that books it live."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

from positions.booking import Fill, booking_of
from positions.models import Lot
from positions.netting import Netting, Order, net
from positions.open_lots import OpenLots
from trades.models import Trade


@dataclass(slots=True)
class ExpectedBook:
    """The lots of one book, each with its trade once closed; none of them is saved.

    Their ids only tell them apart here, in the order they were opened.
    """

    lots: list[Lot] = field(default_factory=list)
    open: list[Lot] = field(default_factory=list)
    #: In the order they were closed.
    trades: list[Trade] = field(default_factory=list)
    _ids: count[int] = field(default_factory=lambda: count(1))

    @property
    def position(self) -> Decimal:
        """Signed: long is positive."""
        return OpenLots(self.open).position

    def carry_out(self, order: Order, fill: Fill, alert: int) -> tuple[Netting, tuple[Trade, ...]]:
        """Give the order of an alert (by its id) its effect; raises NoOpenPosition if none."""
        lots = OpenLots(self.open)
        netting = net(order, lots.as_netted())
        booking = booking_of(netting, self.open, fill)
        booking.take_alert(alert)
        for lot, trade in zip(booking.closed, booking.trades, strict=True):
            lot.trade = trade
            if lot not in self.open:  # A part, just split off.
                self._add(lot)
        if booking.opened is not None:
            self._add(booking.opened)
        self.open = lots.after(booking.opened).first
        self.trades += booking.trades
        return netting, booking.trades

    def _add(self, lot: Lot) -> None:
        lot.pk = next(self._ids)
        self.lots.append(lot)
