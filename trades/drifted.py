"""Trades of which an alert told another position than the lots'."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from audit.counting import MOST_PAGED
from trades.models import Trade


def drifted_trades() -> Any:
    """The ids of trades one of whose alerts drifted: themselves, or where they are too many
    to be taken out of the database and put back, the query for them.
    """
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
        few = list(ids[: MOST_PAGED + 1])
    return RawSQL("SELECT unnest(%s::bigint[])", [few]) if len(few) <= MOST_PAGED else ids


def lots_of_trades() -> QuerySet[Any]:
    """The lots that became trades. Positions stand above trades, which know theirs by
    relation only.
    """
    model: Any = Trade._meta.get_field("lot").related_model
    lots: QuerySet[Any] = model.objects.filter(trade__isnull=False)
    return lots
