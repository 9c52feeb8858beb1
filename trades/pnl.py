"""Profit and loss of a closed lot."""

from __future__ import annotations

from decimal import Decimal

from trades.direction import Direction
from trades.numeric import exactly, plain


def realised_pnl(
    *,
    direction: Direction,
    quantity: Decimal,
    entry_price: Decimal,
    exit_price: Decimal,
    point_value: Decimal,
    commission: Decimal,
) -> Decimal:
    """Price difference × quantity × point value − commission, in quote currency, exact.

    A short lot gains what the price falls. `commission` is what entry and exit
    of this quantity cost together.
    """
    with exactly():
        difference = (exit_price - entry_price) * direction.sign
        return plain(difference * quantity * point_value - commission)


def discrepancy(
    *, reported: Decimal | None, calculated: Decimal, tolerance: Decimal
) -> Decimal | None:
    """Reported minus calculated P&L where that is more than the tolerance, else None."""
    if reported is None:
        return None
    with exactly():
        difference = plain(reported - calculated)
    return difference if abs(difference) > tolerance else None
