"""Sums over the trades that a list shows."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from trades.corrections import counted
from trades.models import Trade
from trades.performance import Tally


@dataclass(frozen=True, slots=True)
class Total:
    """The trades in one currency, corrected where a correction stands."""

    #: "" where the alerts told none.
    currency: str
    tally: Tally
    commission: Decimal


_QUERY: Final = """
SELECT currency, count(*), count(*) FILTER (WHERE counted_pnl > 0),
    count(*) FILTER (WHERE counted_pnl < 0),
    coalesce(sum(counted_pnl) FILTER (WHERE counted_pnl > 0), 0),
    coalesce(-sum(counted_pnl) FILTER (WHERE counted_pnl < 0), 0),
    sum(counted_commission)
FROM ({trades}) AS counted
GROUP BY currency
ORDER BY 2 DESC, 1
"""


def totals(trades: QuerySet[Trade]) -> list[Total]:
    """A total for each currency, the one with most trades first."""
    rows = (
        counted(trades)
        .order_by()
        .annotate(counted_commission=Coalesce(F("standing__commission"), F("commission")))
        .values("currency", "counted_pnl", "counted_commission")
    )
    try:
        statement, parameters = rows.query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_QUERY.format(trades=statement), parameters)
        return [
            Total(currency, Tally(*tallied), commission)
            for currency, *tallied, commission in cursor.fetchall()
        ]
