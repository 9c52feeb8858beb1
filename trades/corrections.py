"""Corrections: a trade that is wrong is not edited, it gets an entry that says what is right."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import (
    BooleanField,
    ExpressionWrapper,
    F,
    FilteredRelation,
    Q,
    QuerySet,
)
from django.db.models.functions import Coalesce

from trades.direction import Direction
from trades.models import Correction, Trade
from trades.pnl import realised_pnl


@transaction.atomic
def correct(
    trade: Trade,
    *,
    user: User,
    reason: str,
    quantity: Decimal | None = None,
    entry_price: Decimal | None = None,
    exit_price: Decimal | None = None,
    commission: Decimal | None = None,
) -> Correction:
    """Say what a trade should have been; what is not given stays as it counts now.

    A quantity of 0 says that the trade never happened. The P&L follows from the values,
    in quote currency. Raises ValidationError, by field, if there is no reason, if nothing
    would change, or if a value cannot be.
    """
    # Two people who correct one trade come one after the other.
    trade = Trade.objects.select_for_update().get(pk=trade.pk)
    standing = Correction.objects.filter(trade=trade, stands=True).first()
    counted = standing or trade
    correction = Correction(
        trade=trade,
        made_by=user,
        reason=reason.strip(),
        quantity=counted.quantity if quantity is None else quantity,
        entry_price=counted.entry_price if entry_price is None else entry_price,
        exit_price=counted.exit_price if exit_price is None else exit_price,
        commission=counted.commission if commission is None else commission,
    )
    _check(correction, counted)
    correction.pnl = realised_pnl(
        direction=Direction(trade.direction),
        quantity=correction.quantity,
        entry_price=correction.entry_price,
        exit_price=correction.exit_price,
        point_value=trade.point_value,
        commission=correction.commission,
    )
    if standing is not None:
        Correction.objects.filter(pk=standing.pk).update(stands=False)
    correction.save(force_insert=True)
    return correction


def with_counted_pnl(trades: QuerySet[Trade]) -> QuerySet[Trade]:
    """The trades with `counted_pnl`: the P&L that sums use, corrected where a correction stands.

    In each trade's own quote currency.
    """
    return trades.annotate(
        standing=FilteredRelation("corrections", condition=Q(corrections__stands=True)),
        counted_pnl=Coalesce(F("standing__pnl"), F("pnl")),
    )


#: Which trades a correction stands for.
CORRECTED: Final = Q(pk__in=Correction.objects.filter(stands=True).order_by().values("trade"))

_WAS_DISCREPANT: Final = Q(pnl_discrepancy__isnull=False)
#: Those whose reported P&L is another than the calculated one, until somebody has said what is
#: right. A month's sums have them as they were booked, like all else (as_booked).
DISCREPANT: Final = _WAS_DISCREPANT & ~CORRECTED

#: Those that ended before they began, by their orders' own times, until somebody has said what
#: is right.
EXIT_BEFORE_ENTRY: Final = Q(exit_time__lt=F("entry_time")) & ~CORRECTED

#: What a correction says never happened, and cost nothing, is no trade.
_IS_TRADE: Final = Q(counted_quantity__gt=0) | ~Q(counted_pnl=0)


def counted(trades: QuerySet[Trade]) -> QuerySet[Trade]:
    """The trades as sums count them, with `counted_pnl` and `is_discrepant`.

    The one place that decides which P&L counts: that of the correction which stands, else
    the trade's own.
    """
    is_discrepant = ExpressionWrapper(DISCREPANT, BooleanField())
    trades = _with_counted(trades).filter(_IS_TRADE).order_by()
    return trades.annotate(is_discrepant=is_discrepant)


def as_booked(trades: QuerySet[Trade]) -> QuerySet[Trade]:
    """The trades as sums would count them, had none been corrected; with the same columns."""
    is_discrepant = ExpressionWrapper(_WAS_DISCREPANT, BooleanField())
    return trades.order_by().annotate(counted_pnl=F("pnl"), is_discrepant=is_discrepant)


def told_as_counted(trades: QuerySet[Trade]) -> QuerySet[Trade]:
    """All of the trades, with `counted_pnl`, and `is_counted`: whether sums count them."""
    is_counted = ExpressionWrapper(_IS_TRADE, BooleanField())
    return _with_counted(trades).annotate(is_counted=is_counted)


def _with_counted(trades: QuerySet[Trade]) -> QuerySet[Trade]:
    return with_counted_pnl(trades).annotate(
        counted_quantity=Coalesce(F("standing__quantity"), F("quantity"))
    )


_VALUES = ("quantity", "entry_price", "exit_price", "commission")


def _check(correction: Correction, counted: Trade | Correction) -> None:
    wrong: dict[str, str] = {}
    if not correction.reason:
        wrong["reason"] = "Say why; whoever reads the trade later will want to know."
    for name in _VALUES:
        if not getattr(correction, name).is_finite():
            wrong[name] = "This is no number."
    for name in ("entry_price", "exit_price"):
        if name not in wrong and getattr(correction, name) <= 0:
            wrong[name] = "A price is above 0."
    if "quantity" not in wrong and correction.quantity < 0:
        wrong["quantity"] = "A quantity is 0 (the trade never happened) or more."
    if not wrong and all(getattr(correction, name) == getattr(counted, name) for name in _VALUES):
        wrong["__all__"] = "Nothing would change."
    if wrong:
        raise ValidationError(wrong)
