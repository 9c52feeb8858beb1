"""What a book holds beside what it must hold, and how the one becomes the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models

from positions.models import Lot
from trades.models import Trade

LOT_COLUMNS = (
    "strategy_id", "symbol", "direction", "quantity", "entry_price", "entry_time",
    "entry_commission", "currency", "status", "entry_webhook_log_id", "exit_webhook_log_id",
)  # fmt: skip
#: What makes a trade this one and no other.
TRADE_IDENTITY = (
    "strategy_id", "symbol", "direction", "quantity", "entry_price", "exit_price", "entry_time",
    "exit_time",
)  # fmt: skip
TRADE_COLUMNS = (
    *TRADE_IDENTITY, "point_value", "commission", "pnl", "pnl_reported", "pnl_discrepancy",
    "currency",
)  # fmt: skip

#: Rows written in one statement.
_TOGETHER = 500


def columns(row: models.Model, names: Iterable[str]) -> tuple[Any, ...]:
    """The row's values, to compare."""
    return tuple(getattr(row, name) for name in names)


@dataclass(frozen=True, slots=True)
class Difference:
    """Each expected row beside the row that stands for it, and the rows that are left over."""

    #: The second is None where the row is missing.
    lots: list[tuple[Lot, Lot | None]]
    trades: list[tuple[Trade, Trade | None]]
    #: Rows that nothing led to, though all alerts are known that they could come from.
    surplus_lots: list[Lot]
    surplus_trades: list[Trade]
    #: Ids of rows that no alert explains; they are left alone.
    unexplained_lots: frozenset[int]
    unexplained_trades: frozenset[int]
    #: Where an open lot is missing: the id that puts the new row in its place of the
    #: queue, by the expected row's.
    places: dict[int, int]

    def __bool__(self) -> bool:
        return any((self.changed_lots, self.changed_trades, self._new_lots, self._new_trades))

    @property
    def changed_lots(self) -> frozenset[int]:
        """The ids of the lots that are wrong or too many."""
        wrong = (standing for _, standing in self._wrong_lots)
        return frozenset(lot.pk for lot in (*wrong, *self.surplus_lots))

    @property
    def changed_trades(self) -> frozenset[int]:
        """The ids of the trades that are wrong or too many."""
        wrong = (standing for _, standing in self._wrong_trades)
        return frozenset(trade.pk for trade in (*wrong, *self.surplus_trades))

    @property
    def foreign_books(self) -> frozenset[tuple[int, str]]:
        """The books under which rows stand that are this one's: strategy id and symbol."""
        rows: list[tuple[Lot, Lot] | tuple[Trade, Trade]] = []
        rows += self._wrong_lots
        rows += self._wrong_trades
        return frozenset(
            (standing.strategy_id, standing.symbol)
            for right, standing in rows
            if (standing.strategy_id, standing.symbol) != (right.strategy_id, right.symbol)
        )

    def settle(self) -> tuple[frozenset[int], frozenset[int]]:
        """Write all of it but the removal of surplus trades, which alerts may still point to.

        Returns the ids of the lots and of the trades that were changed or added;
        the expected rows have theirs from then on. Call it once, holding the book's
        lock, in a transaction.
        """
        wrong_lots, wrong_trades = self._wrong_lots, self._wrong_trades
        new_lots, new_trades = self._new_lots, self._new_trades
        # A trade belongs to one lot only: they all let go before any takes.
        Lot.objects.filter(pk__in=self.changed_lots).update(trade=None)
        for trade, standing_trade in self.trades:
            trade.pk = standing_trade.pk if standing_trade else None
        Trade.objects.bulk_create(new_trades, batch_size=_TOGETHER)
        Trade.objects.bulk_update(
            [trade for trade, _ in wrong_trades], TRADE_COLUMNS_WRITTEN, batch_size=_TOGETHER
        )
        for lot, standing_lot in self.lots:
            lot.pk = standing_lot.pk if standing_lot else self.places.get(lot.pk)
            lot.trade = lot.trade  # Known by its id only now.
        Lot.objects.bulk_update(
            [lot for lot, _ in wrong_lots], LOT_COLUMNS_WRITTEN, batch_size=_TOGETHER
        )
        Lot.objects.filter(pk__in=[lot.pk for lot in self.surplus_lots]).delete()
        Lot.objects.bulk_create(new_lots, batch_size=_TOGETHER)
        return (
            frozenset(lot.pk for lot in (*new_lots, *(lot for lot, _ in wrong_lots))),
            frozenset(trade.pk for trade in (*new_trades, *(trade for trade, _ in wrong_trades))),
        )

    @property
    def _new_lots(self) -> list[Lot]:
        return [lot for lot, standing in self.lots if standing is None]

    @property
    def _new_trades(self) -> list[Trade]:
        return [trade for trade, standing in self.trades if standing is None]

    @property
    def _wrong_lots(self) -> list[tuple[Lot, Lot]]:
        trade_ids = {id(trade): standing and standing.pk for trade, standing in self.trades}
        return [
            (lot, standing)
            for lot, standing in self.lots
            if standing is not None
            and (
                columns(lot, LOT_COLUMNS) != columns(standing, LOT_COLUMNS)
                or standing.trade_id != trade_ids.get(id(lot.trade))
                or (lot.trade is not None and standing.trade_id is None)
            )
        ]

    @property
    def _wrong_trades(self) -> list[tuple[Trade, Trade]]:
        return [
            (trade, standing)
            for trade, standing in self.trades
            if standing is not None
            and columns(trade, TRADE_COLUMNS) != columns(standing, TRADE_COLUMNS)
        ]


def _field_names(names: Iterable[str]) -> list[str]:
    return [name.removesuffix("_id") for name in names]


TRADE_COLUMNS_WRITTEN = _field_names(TRADE_COLUMNS)
#: A lot's point value is its trade's, so it is written with the rest and not compared.
LOT_COLUMNS_WRITTEN = [*_field_names(LOT_COLUMNS), "trade", "point_value"]
