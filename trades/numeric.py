"""Exact arithmetic: a context that never rounds, and sharing out without loss."""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import (
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from typing import Final

#: A number that alerts, exports or people tell has at most so many digits before the point.
DIGITS: Final = 18

#: And so many after it. Who computes with floats tells all of theirs, of which 17 count: so
#: 0.0033333333333333335 for a third of a hundredth.
DECIMALS: Final = 36

#: A product of three has 162 then; sums need a few more.
_EXACT = Context(prec=200, traps=[Inexact, Overflow, Clamped, InvalidOperation, DivisionByZero])


_ONE = Decimal(1)

#: What parts of an amount are rounded to.
_SHARED = Decimal("1e-18")


def exactly() -> AbstractContextManager[Context]:
    """Arithmetic that raises where it would otherwise round, or come to no number.

    Python's default context rounds to 28 digits, which a quantity with 18
    decimals times a price exceeds.
    """
    return localcontext(_EXACT)


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """`amount` × `part` / `whole`, rounded to 18 decimals; the whole of it if part is whole.

    Whoever divides an amount gives the last part what is left, so that the parts
    add up.
    """
    if part == whole:
        return amount
    with localcontext(Context(prec=200)):
        return plain((amount * part / whole).quantize(_SHARED))


def plain(number: Decimal) -> Decimal:
    """The same number without trailing zeros or exponent: 1.500 is 1.5, 1E+2 is 100."""
    # Each told its context, since entering one takes longer than all of it.
    number = number.normalize(_EXACT)
    return number.quantize(_ONE, context=_EXACT) if number == number.to_integral_value() else number
