"""What is open: the open lots by book, and how long they have been."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, F, Min, QuerySet, Sum

from positions.models import Lot, LotStatus
from trades.performance import quotient


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """The open lots of one book, which all lie on one side."""

    strategy: str
    symbol: str
    #: long or short.
    direction: str
    lots: int
    quantity: Decimal
    #: In quote currency, weighted by quantity.
    entry_price: Decimal
    #: UTC; when the oldest lot was entered, and how long ago that is.
    oldest: datetime
    age: timedelta


def symbols_held() -> set[str]:
    """The symbols that something is open on."""
    held = Lot.objects.filter(status=LotStatus.OPEN).order_by()
    return set(held.values_list("symbol", flat=True).distinct())


def open_lots_by_strategy() -> dict[int, int]:
    """How many lots are open, by `strategies.id`; from an index of open lots alone."""
    held = Lot.objects.filter(status=LotStatus.OPEN).order_by()
    return dict(held.values_list("strategy").annotate(Count("id")))


def open_positions(
    *, strategy: str = "", symbol: str = "", most: int, now: datetime
) -> tuple[list[OpenPosition], int]:
    """The open positions, oldest first, at most so many; and how many there are."""
    lots: QuerySet[Lot] = Lot.objects.filter(status=LotStatus.OPEN)
    if strategy:
        lots = lots.filter(strategy__name=strategy)
    if symbol:
        lots = lots.filter(symbol=symbol)
    books = (
        lots.values("strategy__name", "symbol", "direction")
        .annotate(
            lots=Count("id"),
            held=Sum("quantity"),
            cost=Sum(F("quantity") * F("entry_price")),
            oldest=Min("entry_time"),
        )
        .order_by("oldest", "strategy__name", "symbol")
    )
    return [
        OpenPosition(
            strategy=row["strategy__name"],
            symbol=row["symbol"],
            direction=row["direction"],
            lots=row["lots"],
            quantity=row["held"],
            entry_price=quotient(row["cost"], row["held"]),
            oldest=row["oldest"],
            age=now - row["oldest"],
        )
        for row in books[:most]
    ], books.count()
