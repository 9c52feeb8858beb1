"""How numbers are written on pages: thousands apart, a real minus, no more digits than say
something. Nothing is computed with what is written here.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from audit.shown import NONE, age
from trades.numeric import plain

_MINUS: Final = "−"
#: Digits that are shown of an amount below 1, and the most decimals.
_DIGITS: Final = 4
_MOST_DECIMALS: Final = 18

_ROUNDING: Final = Context(prec=200, rounding=ROUND_HALF_EVEN)


def money(amount: Decimal | None) -> str:
    """1,234.50; below 1 with as many decimals as show four digits: 0.0001235."""
    return NONE if amount is None else _with_minus(amount, _rounded(amount))


def signed_money(amount: Decimal | None) -> str:
    """As money, with a plus where it is one: +1,234.50."""
    if amount is None:
        return NONE
    return f"+{money(amount)}" if amount > 0 else money(amount)


def short_money(amount: Decimal) -> str:
    """With a sign and in little room: +950, −1.2k, +3.4M, +0.012."""
    size = abs(amount)
    for limit, divisor, unit in _UNITS:
        if size >= limit:
            text = f"{plain(_to_digits(size / divisor, 3)):,f}{unit}"
            break
    else:
        text = f"{plain(_to_digits(size, 3 if size >= 1 else 2)):f}" if size else "0"
    return f"{_MINUS if amount < 0 else '+' if amount > 0 else ''}{text}"


_UNITS: Final = (
    (Decimal("999.5e9"), Decimal(10**12), "T"),
    (Decimal("999.5e6"), Decimal(10**9), "B"),
    (Decimal("999.5e3"), Decimal(10**6), "M"),
    (Decimal("999.5"), Decimal(10**3), "k"),
)


def percent(part: Decimal | None) -> str:
    """0.4286 is 42.9%."""
    return NONE if part is None else f"{_ROUNDING.multiply(part, Decimal(100)):,.1f}%"


def ratio(number: Decimal | None) -> str:
    """With two decimals: 1.86."""
    return NONE if number is None else _with_minus(number, f"{abs(number):,.2f}")


def latency(passed: timedelta) -> str:
    """4.2 ms, 350 ms, 2.1 s, and longer as an age."""
    seconds = max(0.0, passed.total_seconds())
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else age(passed)


def _rounded(amount: Decimal) -> str:
    size = abs(amount)
    if size >= 1 or not size:
        return f"{_ROUNDING.quantize(size, Decimal('0.01')):,f}"
    if size < Decimal(1).scaleb(-_MOST_DECIMALS):
        return f"below {Decimal(1).scaleb(-_MOST_DECIMALS):f}"
    digits = plain(_to_digits(size, _DIGITS))
    return f"{digits:f}" if digits.as_tuple().exponent < -2 else f"{digits:.2f}"  # type: ignore[operator]


def _to_digits(number: Decimal, digits: int) -> Decimal:
    return Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(number)


def _with_minus(number: Decimal, size: str) -> str:
    return f"{_MINUS}{size}" if number < 0 else size
