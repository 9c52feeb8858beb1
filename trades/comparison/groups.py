"""Trades in the form in which TradingView's and ours are compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from trades.direction import Direction
from trades.numeric import exactly


@dataclass(frozen=True, slots=True)
class TradeGroup:
    """Trades of one side that share entry and exit, taken together.

    TradingView closes a lot of ten by two orders of one bar and lists a trade for each;
    one alert tells both, and makes one trade of the lot.
    """

    direction: Direction
    #: UTC, as are all times.
    entry_time: datetime
    entry_price: Decimal
    #: None, as is the price, while they are open.
    exit_time: datetime | None
    exit_price: Decimal | None
    quantity: Decimal
    #: None where one of them tells none.
    pnl: Decimal | None = None
    commission: Decimal | None = None
    #: Ids of our trades, or numbers of TradingView's.
    trades: tuple[int, ...] = ()
    #: Ids of our lots that are open.
    lots: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What trades share that are taken together."""
        entry = self.direction, self.entry_time, self.entry_price
        return *entry, self.exit_time, self.exit_price


def taken_together(groups: Iterable[TradeGroup]) -> list[TradeGroup]:
    """Groups with the same entry and exit as one, oldest first."""
    merged: dict[tuple[object, ...], TradeGroup] = {}
    with exactly():
        for group in groups:
            known = merged.get(group.key)
            merged[group.key] = group if known is None else _together(known, group)
    return sorted(merged.values(), key=_age)


def _together(one: TradeGroup, other: TradeGroup) -> TradeGroup:
    return replace(
        one,
        quantity=one.quantity + other.quantity,
        pnl=_sum(one.pnl, other.pnl),
        commission=_sum(one.commission, other.commission),
        trades=(*one.trades, *other.trades),
        lots=(*one.lots, *other.lots),
    )


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


def _age(group: TradeGroup) -> tuple[object, ...]:
    is_open = group.exit_time is None
    return group.entry_time, is_open, group.exit_time or group.entry_time, group.trades, group.lots
