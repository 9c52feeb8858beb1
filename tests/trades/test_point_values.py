"""The built-in point values."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trades.point_values import point_value


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("CME_MINI:ES1!", "50"),
        ("ESZ2025", "50"),
        ("CBOT_MINI:MYMU5", "0.5"),
        # The share of Eversource Energy.
        ("NYSE:ES", "1"),
        # Spreads and ratios are no contracts, whatever their last leg is.
        ("COMEX:SI1!/COMEX:GC1!", "1"),
        ("CBOT:YM1!-CME_MINI:ES1!", "1"),
        ("ES1!/NQ1!", "1"),
    ],
)
def test_point_values(symbol: str, expected: str) -> None:
    assert point_value(symbol) == Decimal(expected)
