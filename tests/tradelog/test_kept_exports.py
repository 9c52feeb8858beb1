"""An export is kept in the page between its report and its import."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core import signing
from hypothesis import given
from hypothesis import strategies as st

from tradelog.kept_exports import TooManyTrades, keep, kept
from trades.comparison.tolerances import Tolerance, Tolerances
from trades.direction import Direction
from trades.exports.exported import Export, ExportedTrade
from webhooks.export_comparison import Choice

EXACT = st.decimals("1e-18", "1e17", allow_nan=False, allow_infinity=False)
TRADES = st.builds(
    ExportedTrade,
    number=st.integers(0, 10**9),
    direction=st.sampled_from(Direction),
    quantity=EXACT,
    entry_time=st.datetimes(),
    entry_price=EXACT,
    exit_time=st.none() | st.datetimes(),
    exit_price=st.none() | EXACT,
    pnl=st.none() | EXACT,
    commission=st.none() | EXACT,
    currency=st.text(max_size=5),
)


@given(trades=st.lists(TRADES, max_size=5), name=st.text(max_size=20), last=st.datetimes())
def test_what_is_kept_comes_back(trades: list[ExportedTrade], name: str, last: datetime) -> None:
    export = Export(name, "0" * 64, tuple(trades), last)
    choice = Choice(
        "Alpha", None, "UTC", Tolerances(timedelta(minutes=5), Tolerance(Decimal("0.5")))
    )
    assert kept(keep(export, choice)) == (export, choice)


def test_a_page_from_before_the_update_is_too_old() -> None:
    """It kept a trade's two signals and whether it was open as well."""
    trade = [1, "long", "1", "2025-01-01", "5", None, None, None, None, "Go", "Open", True, "USD"]
    told = {
        "file": ["list.csv", "0" * 64, "2025-01-02T00:00:00"],
        "trades": [trade],
        "choice": ["Alpha", None, "UTC"],
        "tolerances": [300.0, "0.5", "0"],
    }
    with pytest.raises(signing.BadSignature):
        kept(signing.dumps(told, salt="tradelog.kept_exports", compress=True))


def test_ten_thousand_trades_are_kept() -> None:
    start = datetime.fromisoformat("2020-01-01")
    trades = tuple(
        ExportedTrade(
            n, Direction.LONG, Decimal("0.0128"), start + timedelta(minutes=97 * n),
            Decimal(n * 7919 % 100_000) / 100, start + timedelta(minutes=97 * n + 31),
            Decimal(n * 104_729 % 100_000) / 100, Decimal(n % 977) / 100,
        )
        for n in range(1, 10_001)
    )  # fmt: skip
    export = Export("list.csv", "0" * 64, trades, trades[-1].exit_time)
    text = keep(export, Choice())
    assert kept(text)[0] == export
    with pytest.raises(TooManyTrades):
        keep(Export("list.csv", "0" * 64, trades * 12, export.last_time), Choice())
