"""The currencies that trades are in."""

from __future__ import annotations

from django.db.models.expressions import RawSQL

from trades.models import Trade
from trades.monthly.models import MonthSums, SummedZone
from trades.monthly.reading import rewritten


def is_traded_in(currency: str) -> bool:
    """Whether a trade is in this currency, as its alert told it.

    As fast for a million trades, where they are summed up by month: the months know theirs.
    """
    # Those that are as the trades are now; no index tells a trade by its currency.
    summed_up = SummedZone.objects.filter(rewritten=RawSQL(rewritten(), []))
    known = summed_up.order_by("-up_to").first()
    months = MonthSums.objects.filter(
        zone=known.zone if known else "", strategy_id=0, symbol="", currency=currency
    )
    since = Trade.objects.filter(pk__gt=known.up_to if known else 0, currency=currency)
    return months.exists() or since.exists()
