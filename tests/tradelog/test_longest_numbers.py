"""The longest numbers that alerts and people may tell make trades, and pages that open."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.alerts import Poster
from tests.commands import run
from tests.factories import StrategyFactory
from trades.models import Trade

LONGEST = f"{'9' * 18}.{'9' * 36}"
LEAST = f"0.{'0' * 35}1"


@pytest.fixture
def trades(staff: Client, post: Poster) -> list[Trade]:
    """Two trades of the greatest gain there can be, on two days, and one of the least."""
    StrategyFactory(name="Alpha", point_value=LONGEST)
    for price, gained, day in ((LEAST, LONGEST, 5), ("1", "2", 6), (LEAST, LONGEST, 7)):
        post(quantity=LONGEST, price=price, time=f"2026-01-0{day}T10:00:00Z")
        left: dict[str, Any] = {
            "action": "exit",
            "quantity": None,
            "price": gained,
            "commission": LEAST,
        }
        post(time=f"2026-01-0{day}T11:00:00Z", **left)
    made = list(Trade.objects.order_by("id"))
    assert len(made) == 3
    return made


def test_their_pnl_is_exact(trades: list[Trade]) -> None:
    longest, least = Fraction(LONGEST), Fraction(LEAST)
    gained = (longest - least) * longest * longest - least
    assert [Fraction(trade.pnl) for trade in trades] == [
        gained, longest * longest - least, gained,
    ]  # fmt: skip
    assert run("reconcile_positions")[0] == 0
    assert run("audit_trades")[0] == 0


@pytest.mark.parametrize(
    "path",
    ["/?from=2026-01-01&to=2026-02-01", "/admin/trades/trade/", "/api/trades/",
     "/api/statistics/", "/admin/trades/trade/export/?format=csv"],
)  # fmt: skip
def test_pages_open(staff: Client, trades: list[Trade], path: str) -> None:
    assert staff.get(path).status_code == 200


def test_its_page_tells_it(staff: Client, trades: list[Trade]) -> None:
    page = staff.get(reverse("admin:trades_trade_change", args=[trades[0].pk]))
    assert f"{int(trades[0].pnl):,}" in page.content.decode()
