"""The rows that are, or ought to be, one book's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Any

from django.db.models import QuerySet

from positions.models import Lot
from trades.direction import Direction
from trades.models import Strategy, Trade
from trades.pnl import realised_pnl


@dataclass(frozen=True, slots=True)
class Held:
    """What the tables hold of a book, right or wrong."""

    strategy: Strategy
    symbol: str
    #: The ids of the alerts that made the book.
    alerts: frozenset[int]
    #: In the order they were opened.
    lots: list[Lot]
    #: The lots' trades, and the book's trades without a lot that were not imported.
    trades: dict[int, Trade]
    #: The ids of the book's imported trades, which no alert explains.
    imported: frozenset[int]
    #: Trades by the alert of the book that closed them, as lots and alerts tell it.
    closed_by: Mapping[int, list[int]]
    #: Price and time of each alert.
    exits: Mapping[int, tuple[Decimal | None, datetime]]

    @property
    def book(self) -> tuple[int, str]:
        return self.strategy.pk, self.symbol

    def point_values(self) -> dict[int, Decimal]:
        """By the alert that closed: the point value its trades were made with, where it is known.

        A trade that is right keeps its own, whatever the strategy's is by now; of one that is
        gone its lot tells.
        """
        now = self.strategy.point_value_of(self.symbol)
        values = {
            lot.exit_webhook_log_id: lot.point_value
            for lot in self.lots
            if (lot.strategy_id, lot.symbol) == self.book
            and lot.exit_webhook_log_id is not None
            and lot.point_value is not None
        }
        for alert, ids in self.closed_by.items():
            trades = [self.trades[trade_id] for trade_id in ids]
            ours = [trade for trade in trades if (trade.strategy_id, trade.symbol) == self.book]
            # Those first that also tell their exit as the alert does.
            ours.sort(key=lambda trade: (trade.exit_price, trade.exit_time) != self.exits[alert])
            told = [trade.point_value for trade in ours if _follows(trade, trade.point_value)]
            if not told and not any(_follows(trade, now) for trade in ours):
                told = [trade.point_value for trade in ours]
            if told:
                values[alert] = told[0]
        return values


def held_in(strategy: Strategy, symbol: str, alerts: QuerySet[Any]) -> Held:
    """Read a book's rows, those too that were moved to another book by mistake.

    `alerts` are the rows of webhook_logs that the book came from.
    """
    own_lots = {"strategy": strategy, "symbol": symbol}
    # One query for each way to belong, since each has an index of its own.
    lots = {
        lot.pk: lot
        for lot in chain(
            Lot.objects.filter(**own_lots),
            Lot.objects.filter(entry_webhook_log__in=alerts.values("pk")),
            Lot.objects.filter(exit_webhook_log__in=alerts.values("pk")),
        )
    }
    trades = {
        trade.pk: trade
        for trade in chain(
            # An imported one stands for itself, never for one that alerts made.
            Trade.objects.filter(
                strategy=strategy, symbol=symbol, lot__isnull=True, import_batch__isnull=True
            ),
            Trade.objects.filter(webhook_logs__in=alerts.values("pk"), lot__isnull=True),
            Trade.objects.filter(lot__strategy=strategy, lot__symbol=symbol),
            Trade.objects.filter(lot__entry_webhook_log__in=alerts.values("pk")),
            Trade.objects.filter(lot__exit_webhook_log__in=alerts.values("pk")),
        )
    }
    exits: dict[int, tuple[Decimal | None, datetime]] = {}
    closed_by: dict[int, list[int]] = {}
    for alert, price, ordered, received, trade_id in alerts.values_list(
        "pk", "price", "order_time", "received_at", "trade_id"
    ):
        exits[alert] = price, ordered or received
        closed_by[alert] = [trade_id] if trade_id in trades else []
    for lot in lots.values():
        told = closed_by.get(lot.exit_webhook_log_id or 0)
        if told is not None and lot.trade_id is not None and lot.trade_id not in told:
            told.append(lot.trade_id)
    return Held(
        strategy,
        symbol,
        frozenset(exits),
        sorted(lots.values(), key=lambda lot: lot.pk),
        trades,
        frozenset(
            Trade.objects.filter(
                strategy=strategy, symbol=symbol, import_batch__isnull=False
            ).values_list("pk", flat=True)
        ),
        closed_by,
        exits,
    )


def _follows(trade: Trade, point_value: Decimal) -> bool:
    due = realised_pnl(
        direction=Direction(trade.direction),
        quantity=trade.quantity,
        entry_price=trade.entry_price,
        exit_price=trade.exit_price,
        point_value=point_value,
        commission=trade.commission,
    )
    return bool(trade.pnl == due)
