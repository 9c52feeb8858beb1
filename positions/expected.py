"""What a book must hold, booked in memory by the same arithmetic as the live path."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

from positions.booking import Fill, commission_shares, lot_of, split, trades_of
from positions.models import Lot, LotStatus
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

    def carry_out(self, order: Order, fill: Fill) -> tuple[Netting, list[Trade]]:
        """Give one order its effect; raises NoOpenPosition if it has none."""
        netting = net(order, OpenLots(self.open).as_netted())
        by_id = {lot.pk: lot for lot in self.open}
        shares = commission_shares(netting, fill.commission)
        trades = trades_of(netting.closings, by_id, fill, shares)
        for closing, trade in zip(netting.closings, trades, strict=True):
            lot = by_id[closing.lot.id]
            if closing.is_partial:
                lot = self._add(split(lot, closing.quantity))
            else:
                self.open.remove(lot)
            lot.status, lot.point_value = LotStatus.CLOSED, trade.point_value
            lot.exit_webhook_log_id = fill.log_id
            lot.trade = trade
        self.trades += trades
        if netting.opening is not None:
            self.open.append(self._add(lot_of(netting.opening, fill, shares[-1])))
        return netting, trades

    def _add(self, lot: Lot) -> Lot:
        lot.pk = next(self._ids)
        self.lots.append(lot)
        return lot
