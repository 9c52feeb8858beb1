"""A book's trades and lots in the form in which an export's are compared with them."""

from __future__ import annotations

from decimal import Decimal

from positions.models import Lot, LotStatus
from trades.comparison.groups import TradeGroup, taken_together
from trades.direction import Direction
from trades.models import Correction, Strategy, Trade
from webhooks.models import WebhookLog
from webhooks.values import Unreadable, name


def our_groups(strategy: Strategy, symbol: str) -> list[TradeGroup]:
    """A book's trades, as corrections left them, and its open lots; oldest first."""
    corrected = {
        correction.trade_id: correction
        for correction in Correction.objects.filter(
            trade__strategy=strategy, trade__symbol=symbol, stands=True
        )
    }
    groups = []
    for trade in Trade.objects.filter(strategy=strategy, symbol=symbol).order_by("id"):
        counted = corrected.get(trade.pk, trade)
        if counted.quantity:
            groups.append(_group(trade, counted))
    for lot in Lot.objects.filter(strategy=strategy, symbol=symbol, status=LotStatus.OPEN):
        groups.append(
            TradeGroup(
                Direction(lot.direction),
                lot.entry_time,
                lot.entry_price,
                None,
                None,
                lot.quantity,
                lots=(lot.pk,),
            )
        )
    return taken_together(groups)


def never_happened(strategy: Strategy, symbol: str) -> list[TradeGroup]:
    """A book's trades that were corrected to 0, which `our_groups` leaves out."""
    corrections = Correction.objects.filter(
        trade__strategy=strategy, trade__symbol=symbol, stands=True, quantity=Decimal(0)
    )
    return [
        _group(correction.trade, correction)
        for correction in corrections.select_related("trade").order_by("trade_id")
    ]


def symbols_of(strategy: Strategy) -> set[str]:
    """Those on which it has trades or lots."""
    return {
        symbol
        for model in (Trade, Lot)
        for symbol in model.objects.filter(strategy=strategy)
        .order_by()
        .values_list("symbol", flat=True)
        .distinct()
    }


def is_symbol(text: str) -> bool:
    """Whether alerts could be of it: read as theirs are, it stays as it is."""
    try:
        return bool(text) and name(100)(text) == text
    except Unreadable:
        return False


def symbols_meant(strategy: Strategy, symbol: str) -> list[str]:
    """Where the strategy has nothing on this symbol, not even alerts: those it has, and that are
    the same but for the exchange, which one of the two leaves out, or for capitals.
    """
    known = symbols_of(strategy)
    if symbol in known or WebhookLog.objects.filter(strategy=strategy.name, symbol=symbol).exists():
        return []
    exchange, _, ticker = symbol.casefold().rpartition(":")

    def is_alike(other: str) -> bool:
        its_exchange, _, its_ticker = other.casefold().rpartition(":")
        return ticker == its_ticker and (exchange == its_exchange or "" in (exchange, its_exchange))

    return sorted(filter(is_alike, known))


def currency_of(strategy: Strategy, symbol: str) -> str | None:
    """The one that a book's own trades and lots are in, "" where they tell none; else None."""
    told = {
        currency
        for rows in (Trade.objects.filter(import_batch=None), Lot.objects.all())
        for currency in rows.filter(strategy=strategy, symbol=symbol)
        .order_by()
        .values_list("currency", flat=True)
        .distinct()
    }
    return told.pop() if len(told) == 1 else None


def _group(trade: Trade, counted: Trade | Correction) -> TradeGroup:
    return TradeGroup(
        Direction(trade.direction),
        trade.entry_time,
        counted.entry_price,
        trade.exit_time,
        counted.exit_price,
        counted.quantity,
        counted.pnl,
        trades=(trade.pk,),
    )
