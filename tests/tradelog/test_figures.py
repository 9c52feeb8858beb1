"""Numbers as pages write them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import shown
from tradelog import figures


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0", "0.00"),
        ("1234.5", "1,234.50"),
        ("-1234567.891", "−1,234,567.89"),
        ("0.5", "0.50"),
        ("0.123456", "0.1235"),
        ("-0.000012345", "−0.00001234"),
        ("0.99999", "1.00"),
        ("1E+3", "1,000.00"),
        ("1E-30", "below 0.000000000000000001"),
    ],
)
def test_money(amount: str, written: str) -> None:
    assert figures.money(Decimal(amount)) == written


def test_how_many() -> None:
    assert [shown.counted(number, "trade") for number in (0, 1, 2000)] == [
        "0 trades", "1 trade", "2,000 trades",
    ]  # fmt: skip
    assert shown.counted(1, "entry", "entries") == "1 entry"
    assert shown.counted(2, "entry", "entries") == "2 entries"


def test_money_with_its_sign() -> None:
    assert figures.signed_money(Decimal("7")) == "+7.00"
    assert figures.signed_money(Decimal("-7")) == "−7.00"
    assert figures.signed_money(Decimal("0")) == "0.00"


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0", "0"),
        ("12.34", "+12.3"),
        ("-950", "−950"),
        ("999.4", "+999"),
        ("999.6", "+1k"),
        ("-1234", "−1.23k"),
        ("999600", "+1M"),
        ("3400000", "+3.4M"),
        ("2500000000", "+2.5B"),
        ("7e15", "+7,000T"),
        ("0.01234", "+0.012"),
    ],
)
def test_money_in_little_room(amount: str, written: str) -> None:
    assert figures.short_money(Decimal(amount)) == written


def test_every_digit() -> None:
    assert shown.exact(Decimal("-1234567.1234567890123456780")) == "−1,234,567.123456789012345678"
    assert shown.exact(Decimal("1E+2")) == "100"
    # More than the 28 digits that decimals are rounded to.
    longest = Decimal("-123456789012345678.123456789012345678")
    assert shown.exact(longest) == "−123,456,789,012,345,678.123456789012345678"
    assert shown.digits(longest) == str(longest)
    for nothing in ("0", "-0", "-0.00", "0E+3"):
        assert shown.digits(Decimal(nothing)) == shown.exact(Decimal(nothing)) == "0"


def test_parts_and_ratios() -> None:
    assert figures.percent(Decimal("0.42857")) == "42.9%"
    assert figures.percent(Decimal(1)) == "100.0%"
    assert figures.ratio(Decimal("-1.857")) == "−1.86"


def test_nothing_is_a_dash() -> None:
    for write in (
        figures.money,
        figures.signed_money,
        shown.exact,
        figures.percent,
        figures.ratio,
    ):
        assert write(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"),
        (40.9, "40 s"),
        (725, "12 min 5 s"),
        (3600, "1 h"),
        (3 * 86400 + 4 * 3600 + 59, "3 d 4 h"),
        (86400 + 5, "1 d"),
        (400 * 86400, "400 d"),
        (-5, "0 s"),
    ],
)
def test_ages(seconds: float, written: str) -> None:
    assert shown.age(timedelta(seconds=seconds)) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0042, "4.2 ms"),
        (0.35, "350 ms"),
        (2.14, "2.1 s"),
        (75, "1 min 15 s"),
    ],
)
def test_latencies(seconds: float, written: str) -> None:
    assert figures.latency(timedelta(seconds=seconds)) == written


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**18), max_value=10**18))
def test_money_is_near_what_it_stands_for(amount: Decimal) -> None:
    written = figures.money(amount)
    if written.startswith(("below", "−below")):
        assert abs(amount) < Decimal("1E-18")
        return
    read = Decimal(written.replace(",", "").replace("−", "-"))
    assert abs(read - amount) <= (Decimal("0.005") if abs(amount) >= 1 else abs(amount) / 1000)
