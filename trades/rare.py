"""Trades of which there are few, looked up by their ids.

PostgreSQL does not know how few they are, and would rather read all trades in the order that is
asked for.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from audit.counting import MOST_PAGED
from trades.corrections import EXIT_BEFORE_ENTRY
from trades.models import Trade


def drifted() -> Q:
    """Which trades have an alert that told another position than the lots'."""
    alerts: Any = Trade._meta.get_field("webhook_logs").related_model
    drifted = alerts.objects.filter(drift=True).order_by().values("pk")
    lots = lots_of_trades().order_by().values_list("trade", flat=True)
    ids = lots.filter(entry_webhook_log__in=drifted).union(
        lots.filter(exit_webhook_log__in=drifted)
    )
    with transaction.atomic(), connection.cursor() as cursor:
        # From the few alerts by index to their lots. PostgreSQL would rather read all lots,
        # since it takes each step of an index for one on a disk.
        cursor.execute("SET LOCAL random_page_cost = 1")
        return _looked_up(ids, else_by=Q(pk__in=ids))


def exit_before_entry() -> Q:
    """Which trades are `EXIT_BEFORE_ENTRY`."""
    # In the order of the index that has them alone.
    trades = Trade.objects.filter(EXIT_BEFORE_ENTRY).order_by("-pk")
    return _looked_up(trades.values_list("pk", flat=True), else_by=EXIT_BEFORE_ENTRY)


def lots_of_trades() -> QuerySet[Any]:
    """The lots that became trades. Positions stand above trades, which know theirs by
    relation only.
    """
    model: Any = Trade._meta.get_field("lot").related_model
    lots: QuerySet[Any] = model.objects.filter(trade__isnull=False)
    return lots


def _looked_up(ids: QuerySet[Any], *, else_by: Q) -> Q:
    """The trades of these ids; by the other condition where there are too many of them to be
    taken out of the database and put back.
    """
    few = list(ids[: MOST_PAGED + 1])
    if len(few) > MOST_PAGED:
        return else_by
    return Q(pk__in=RawSQL("SELECT unnest(%s::bigint[])", [few]))
