"""Trades brought in from an export, as one batch that can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from trades.comparison.groups import TradeGroup
from trades.models import Correction, ImportBatch, Strategy, Trade
from trades.numeric import plain
from trades.pnl import discrepancy, realised_pnl
from trades.whole_rows import whole_rows


class NotUndoable(Exception):
    """This import cannot be undone; the message says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where imported trades come from."""

    file_name: str
    sha256: str
    #: In which the file's times were read.
    time_zone: str
    #: The quote currency, "" where nothing tells it.
    currency: str
    #: None for the command line.
    imported_by: User | None
    #: No bar of the chart is longer.
    bar: timedelta = timedelta(minutes=1)


@transaction.atomic
def import_trades(
    groups: Sequence[TradeGroup], strategy: Strategy, symbol: str, source: Source
) -> ImportBatch:
    """Make a trade of each of these closed groups, in one new batch; there must be some.

    Their P&L follows from their prices as every trade's does; the exported one stands
    beside it as the reported. Raises IntegrityError where one of them was imported before,
    and then nothing has changed.
    """
    batch = ImportBatch.objects.create(
        imported_by=source.imported_by,
        file_name=source.file_name[-255:],
        sha256=source.sha256,
        strategy=strategy,
        symbol=symbol,
        time_zone=source.time_zone,
        bar=source.bar,
        count=len(groups),
    )
    point_value = strategy.point_value_of(symbol)
    Trade.objects.bulk_create(
        [_trade(group, batch, point_value, source.currency) for group in groups], batch_size=500
    )
    return batch


def _trade(group: TradeGroup, batch: ImportBatch, point_value: Decimal, currency: str) -> Trade:
    assert group.exit_time is not None and group.exit_price is not None
    commission = plain(group.commission or Decimal(0))
    pnl = realised_pnl(
        direction=group.direction,
        quantity=group.quantity,
        entry_price=group.entry_price,
        exit_price=group.exit_price,
        point_value=point_value,
        commission=commission,
    )
    return Trade(
        strategy=batch.strategy,
        symbol=batch.symbol,
        direction=group.direction,
        quantity=plain(group.quantity),
        entry_price=plain(group.entry_price),
        exit_price=plain(group.exit_price),
        entry_time=group.entry_time,
        exit_time=group.exit_time,
        point_value=point_value,
        commission=commission,
        pnl=pnl,
        pnl_reported=group.pnl,
        pnl_discrepancy=discrepancy(
            reported=group.pnl, calculated=pnl, tolerance=settings.PNL_TOLERANCE
        ),
        currency=currency[:20],
        import_batch=batch,
    )


@transaction.atomic
def undo(batch_id: int, undone_by: User | None) -> ImportBatch:
    """Remove exactly the trades of a batch, and note in it when, by whom, and what they were.

    `undone_by` is None for the command line. Raises ImportBatch.DoesNotExist, or
    NotUndoable, and then nothing has changed.
    """
    batch = ImportBatch.objects.select_for_update(of=("self",)).get(pk=batch_id)
    if batch.undone_at is not None:
        raise NotUndoable(f"Import {batch.pk} was undone {batch.undone_at:%Y-%m-%d %H:%M} UTC.")
    corrected = list(
        Correction.objects.filter(trade__import_batch=batch)
        .order_by("trade_id")
        .values_list("trade_id", flat=True)
        .distinct()
    )
    if corrected:
        listed = ", ".join(map(str, corrected[:20]))
        raise NotUndoable(
            f"Trades of import {batch.pk} have been corrected, and corrections stay: {listed}. "
            "A correction to a quantity of 0 says that a trade never happened."
        )
    batch.removed = whole_rows(batch.trades.all())
    batch.undone_at, batch.undone_by = timezone.now(), undone_by
    batch.save(update_fields=["removed", "undone_at", "undone_by"])
    batch.trades.all().delete()
    return batch
