"""Trades that count with another point value than their strategy has now, put right together."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Final, NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from trades.corrections import drawn_up, that_stand, values_of
from trades.direction import Direction
from trades.models import Correction, Trade
from trades.numeric import exactly, plain
from trades.pnl import realised_pnl

#: Trades that are put right together at most; more would keep a page waiting.
MOST: Final = 2_000


@dataclass(slots=True)
class Revaluation:
    """What changes of one book's trades, of those in one currency and with one point value."""

    strategy: str
    symbol: str
    #: "" where the alerts told none.
    currency: str
    #: As they count, and as the strategy has it now.
    point_value: Decimal
    todays: Decimal
    trades: int = 0
    #: As they count, and as they would.
    pnl: Decimal = Decimal(0)
    todays_pnl: Decimal = Decimal(0)


class ChangedMeanwhile(Exception):
    """Other trades would change, or otherwise, than was shown."""


class _Due(NamedTuple):
    trade: Trade
    standing: Correction | None
    todays: Decimal


def revaluations(trades: QuerySet[Trade]) -> list[Revaluation]:
    """What `revalue` would change of these trades."""
    return _summed_up(_due(trades))


def digest(shown: list[Revaluation]) -> str:
    """Says the same of two only where they are the same."""
    return sha256(repr(shown).encode()).hexdigest()


@transaction.atomic
def revalue(trades: QuerySet[Trade], *, user: User, reason: str, shown: str) -> list[Revaluation]:
    """Correct those that count with another point value than today's; else they stay as they count.

    `shown` is the digest of what was said to change. Raises ChangedMeanwhile where that is
    something else by now, and ValidationError where there is no reason.
    """
    due = _due(trades.select_for_update(of=("self",)))
    changes = _summed_up(due)
    if digest(changes) != shown:
        raise ChangedMeanwhile
    made = [
        drawn_up(trade, standing, user=user, reason=reason, point_value=todays)
        for trade, standing, todays in due
    ]
    replaced = [standing.pk for _, standing, _ in due if standing is not None]
    Correction.objects.filter(pk__in=replaced).update(stands=False)
    Correction.objects.bulk_create(made, batch_size=500)
    return changes


def _due(trades: QuerySet[Trade]) -> list[_Due]:
    standing_too = that_stand(Correction.objects.all())
    # In one order, so that two who have some in common come one after the other.
    found = trades.order_by("pk").select_related("strategy").prefetch_related(standing_too)
    due = []
    for trade in found:
        standing = next(iter(trade.that_stand), None)
        counted = standing or trade
        todays = trade.strategy.point_value_of(trade.symbol)
        # What never happened has no points.
        if counted.quantity and counted.point_value != todays:
            due.append(_Due(trade, standing, todays))
    return due


def _summed_up(due: list[_Due]) -> list[Revaluation]:
    found: dict[tuple[str, str, str, Decimal], Revaluation] = {}
    for trade, standing, todays in due:
        counted = standing or trade
        key = (trade.strategy.name, trade.symbol, trade.currency, plain(counted.point_value))
        change = found.setdefault(key, Revaluation(*key, plain(todays)))
        values = {**values_of(counted), "point_value": todays}
        pnl = realised_pnl(direction=Direction(trade.direction), **values)
        change.trades += 1
        with exactly():
            change.pnl = plain(change.pnl + counted.pnl)
            change.todays_pnl = plain(change.todays_pnl + pnl)
    return [found[key] for key in sorted(found)]
