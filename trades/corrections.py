"""Corrections: a trade that is wrong is not edited, it gets an entry that says what is right."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import (
    BooleanField,
    ExpressionWrapper,
    F,
    FilteredRelation,
    Prefetch,
    Q,
    QuerySet,
)
from django.db.models.functions import Coalesce

from trades.direction import Direction
from trades.models import Correction, Trade
from trades.pnl import realised_pnl

#: What a correction says of a trade, by the name that both have for it.
VALUES: Final = ("quantity", "entry_price", "exit_price", "point_value", "commission")


@transaction.atomic
def correct(
    trade: Trade,
    *,
    user: User,
    reason: str,
    quantity: Decimal | None = None,
    entry_price: Decimal | None = None,
    exit_price: Decimal | None = None,
    point_value: Decimal | None = None,
    commission: Decimal | None = None,
) -> Correction:
    """Say what a trade should have been; what is not given stays as it counts now.

    A quantity of 0 says that the trade never happened. The P&L follows from the values,
    in quote currency. Raises ValidationError, by field, if there is no reason, if nothing
    would change, or if a value cannot be.
    """
    # Two people who correct one trade come one after the other.
    trade = Trade.objects.select_for_update().get(pk=trade.pk)
    standing = trade.corrections.filter(stands=True).first()
    given = (quantity, entry_price, exit_price, point_value, commission)
    values = {name: told for name, told in zip(VALUES, given, strict=True) if told is not None}
    correction = drawn_up(trade, standing, user=user, reason=reason, **values)
    if standing is not None:
        Correction.objects.filter(pk=standing.pk).update(stands=False)
    correction.save(force_insert=True)
    return correction


def values_of(counted: Trade | Correction) -> dict[str, Decimal]:
    """What a trade was booked with, or what a correction says of it."""
    return {name: getattr(counted, name) for name in VALUES}


def drawn_up(
    trade: Trade, standing: Correction | None, *, user: User, reason: str, **values: Decimal
) -> Correction:
    """The correction that would replace the one that stands, not saved; raises as `correct`."""
    counted = standing or trade
    told = {**values_of(counted), **values}
    _check(reason.strip(), told, counted)
    pnl = realised_pnl(direction=Direction(trade.direction), **told)
    told["stated_point_value"] = told.pop("point_value")
    return Correction(trade=trade, made_by=user, reason=reason.strip(), pnl=pnl, **told)


def with_counted_pnl(trades: QuerySet[Trade]) -> QuerySet[Trade]:
    """The trades with `counted_pnl`: the P&L that sums use, corrected where a correction stands.

    In each trade's own quote currency.
    """
    return trades.annotate(
        standing=FilteredRelation("corrections", condition=Q(corrections__stands=True)),
        counted_pnl=Coalesce(F("standing__pnl"), F("pnl")),
    )


def that_stand(
    corrections: QuerySet[Correction],
) -> Prefetch[Literal["corrections"], QuerySet[Correction], Literal["that_stand"]]:
    """Reads a trade's correction that stands with it, as `that_stand`: a list of one or none."""
    return Prefetch("corrections", corrections.filter(stands=True), "that_stand")


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


def _check(reason: str, values: dict[str, Decimal], counted: Trade | Correction) -> None:
    wrong: dict[str, str] = {}
    if not reason:
        wrong["reason"] = "Say why; whoever reads the trade later will want to know."
    for name, value in values.items():
        if not value.is_finite():
            wrong[name] = "This is no number."
        elif name.endswith("_price") and value <= 0:
            wrong[name] = "A price is above 0."
        elif name == "point_value" and value <= 0:
            wrong[name] = "A point value is above 0."
        elif name == "quantity" and value < 0:
            wrong[name] = "A quantity is 0 (the trade never happened) or more."
    if not wrong and all(value == getattr(counted, name) for name, value in values.items()):
        wrong["__all__"] = "Nothing would change."
    if wrong:
        raise ValidationError(wrong)
