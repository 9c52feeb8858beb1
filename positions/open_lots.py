"""The open lots of a book, of which no more are read than its next order is likely to close."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import rows
from positions.models import Lot, LotStatus
from positions.netting import Netting, OpenLot, Order, net, signed_position
from trades.direction import Direction
from trades.models import Strategy

#: So many lots of a book are read at first. Few books have more; those cost a round trip more,
#: in which the others are summed up.
READ_FIRST: Final = 8

#: The id of what stands for several lots; no row has it.
_SEVERAL: Final = 0

_SUMMED_UP: Final = """
SELECT its.last, rest.direction, rest.quantity
FROM json_to_recordset(%s) AS its(strategy_id bigint, symbol varchar, last bigint)
CROSS JOIN LATERAL (
    SELECT direction, sum(quantity) AS quantity FROM open_positions
    WHERE strategy_id = its.strategy_id AND symbol = its.symbol AND status = 'open'
    AND id > its.last GROUP BY direction
) AS rest
"""


@dataclass(frozen=True, slots=True)
class OpenLots:
    """What is open in a book."""

    #: The first lots, in the order they were opened.
    first: list[Lot] = field(default_factory=list)
    #: All after them, summed up; by direction, since nothing but the rule keeps a book to one.
    rest: tuple[OpenLot, ...] = ()

    def as_netted(self) -> list[OpenLot]:
        """As netting sees them."""
        return [*map(as_netted, self.first), *self.rest]

    @property
    def position(self) -> Decimal:
        """Signed: long is positive."""
        return signed_position(self.as_netted())

    def after(self, opened: Lot | None) -> OpenLots:
        """What is open once an order has closed some of these lots, and opened one if any."""
        left = [lot for lot in self.first if lot.status == LotStatus.OPEN]
        if opened is None:
            return OpenLots(left, self.rest)
        if not self.rest:
            return OpenLots([*left, opened])
        added = OpenLot(_SEVERAL, Direction(opened.direction), opened.quantity)
        return OpenLots(left, (*self.rest, added))


def all_open_lots(strategy: Strategy, symbol: str) -> OpenLots:
    """The book's open lots, every one of them."""
    open_ = Lot.objects.filter(strategy=strategy, symbol=symbol, status="open")
    return OpenLots(list(open_.order_by("id")))


def net_open(
    order: Order, strategy: Strategy, symbol: str, lots: OpenLots
) -> tuple[Netting, OpenLots]:
    """Net an order against a book's open lots; also tell these, with all that it closes read.

    Raises NoOpenPosition as `net` does.
    """
    netting = net(order, lots.as_netted())
    if any(closing.lot.id == _SEVERAL for closing in netting.closings):
        lots = all_open_lots(strategy, symbol)
        netting = net(order, lots.as_netted())
    return netting, lots


def as_netted(lot: Lot) -> OpenLot:
    """The lot as netting sees it."""
    return OpenLot(lot.pk, Direction(lot.direction), lot.quantity)


def with_rest(first: Mapping[str, list[Lot]]) -> dict[str, OpenLots]:
    """Open lots by book, of each the first READ_FIRST; those after them are summed up."""
    asked = [
        {"strategy_id": lots[-1].strategy_id, "symbol": lots[-1].symbol, "last": lots[-1].pk}
        for lots in first.values()
        if len(lots) >= READ_FIRST
    ]
    #: By the id of the last lot before them.
    rest: dict[int, list[OpenLot]] = {}
    if asked:
        for last, direction, quantity in rows.ask(_SUMMED_UP, [json.dumps(asked)])():
            summed_up = OpenLot(_SEVERAL, Direction(direction), quantity)
            rest.setdefault(last, []).append(summed_up)
    return {book: OpenLots(lots, tuple(rest.get(lots[-1].pk, ()))) for book, lots in first.items()}
