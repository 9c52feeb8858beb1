"""How far two trades may differ and still be told as the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from trades.exports.exported import Export
from trades.numeric import plain


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A difference that does not count, as an amount or as a share of the larger number."""

    amount: Decimal
    is_share: bool = False

    def limit(self, one: Decimal, other: Decimal) -> Decimal:
        """How far these two may be apart."""
        return self.amount * max(abs(one), abs(other)) if self.is_share else self.amount

    def __str__(self) -> str:
        return f"{plain(self.amount * 100):f}%" if self.is_share else f"{plain(self.amount):f}"


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Those of a comparison.

    The defaults allow for what TradingView leaves out of an export and nothing else: the
    seconds of a time, an order's digits past those it shows. 0.001% of a price is less
    than a tick on nearly every market.
    """

    time: timedelta = timedelta(seconds=60)
    price: Tolerance = Tolerance(Decimal("0.00001"), is_share=True)
    quantity: Tolerance = Tolerance(Decimal("0.001"), is_share=True)


#: Of a day the date alone is told; its session begins, and its orders are filled, within a day
#: before or after that, whatever the time zone.
A_DAY: Final = timedelta(days=1)


def usual_tolerances(export: Export) -> Tolerances:
    """Those for an export where none were named."""
    return Tolerances(time=A_DAY) if export.tells_dates_alone else Tolerances()


def read_tolerance(text: str) -> Tolerance:
    """`0.05`, or `0.1%`; raises ValueError."""
    written = text.strip()
    try:
        amount = Decimal(written.removesuffix("%"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount < 10**12 or len(written) > 30:
        raise ValueError(f"{text!r} is no tolerance; such as 0.05 or 0.1%")
    is_share = written.endswith("%")
    if is_share and amount > 100:
        raise ValueError(f"{text!r} is more than all of it")
    return Tolerance(amount / 100 if is_share else amount, is_share)


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def read_time_tolerance(text: str) -> timedelta:
    """Seconds, or `90s`, `5m`, `4h`, `1d`, a day at most; raises ValueError."""
    found = re.fullmatch(r"(\d{1,6})\s*([smhd]?)", text.strip().lower(), re.ASCII)
    seconds = int(found[1]) * _UNITS[found[2]] if found else -1
    if not 0 <= seconds <= _UNITS["d"]:
        raise ValueError(f"{text!r} is no time up to a day; such as 60, 5m, 4h or 1d")
    return timedelta(seconds=seconds)
