"""A trade that is gone is made again with the point value it had, if anything tells that."""

from __future__ import annotations

import pytest

from positions.models import Lot
from tests.alerts import Poster
from tests.damage import forget_trade
from trades.models import Strategy, Trade
from webhooks.reconcile import find, mend
from webhooks.trade_audit import audit

UNKNOWN = "The point value of then is not known: --fix takes today's, 3."


@pytest.fixture
def changed(post: Poster) -> None:
    """A contract of 50 a point is closed in two parts; since then the strategy says 3."""
    post(symbol="ES1!", quantity="3")
    for minute, quantity in enumerate(("1", "2")):
        post(
            symbol="ES1!", action="sell", quantity=quantity, price="110",
            time=f"2026-01-05T15:0{minute}:00Z",
        )  # fmt: skip
    Strategy.objects.update(point_value=3)


@pytest.mark.parametrize("quantity", [1, 2], ids=["part", "rest"])
def test_its_lot_tells(changed: None, quantity: int) -> None:
    forget_trade(Trade.objects.get(quantity=quantity))
    found = find()
    assert {finding.mendable for finding in found} == {True}
    assert not any(UNKNOWN in finding.sentence for finding in found)
    _, left = mend()
    assert left == []
    trade = Trade.objects.get(quantity=quantity)
    assert (trade.point_value, trade.pnl) == (50, 500 * quantity)


def test_a_lot_that_is_made_again_tells_it_too(changed: None) -> None:
    Lot.objects.filter(quantity=1).delete()
    assert mend()[1] == []
    forget_trade(Trade.objects.get(quantity=1))
    assert mend()[1] == []
    assert Trade.objects.get(quantity=1).point_value == 50


def test_a_lot_that_is_closed_again_tells_it_too(changed: None) -> None:
    Lot.objects.filter(quantity=1).update(
        status="open", exit_webhook_log=None, trade=None, point_value=None
    )
    assert mend()[1] == []
    assert Lot.objects.get(quantity=1).point_value == 50


def test_where_nothing_tells_that_is_said(changed: None) -> None:
    Lot.objects.filter(quantity=1).update(point_value=None)
    forget_trade(Trade.objects.get(quantity=1))
    (alert,) = Lot.objects.filter(quantity=1).values_list("exit_webhook_log_id", flat=True)
    for finding in find():
        assert (UNKNOWN in finding.sentence) == (alert in finding.alerts)
    (missing,) = audit()
    assert missing.sentence.endswith("with today's point value; the one of then is not known.")
    mended, left = mend()
    assert left == []
    assert any(UNKNOWN in finding.sentence for one in mended for finding in one.findings)
    assert Trade.objects.get(quantity=1).point_value == 3
    assert Trade.objects.get(quantity=2).point_value == 50


def test_a_trade_that_tells_another_one_with_its_pnl_is_found(changed: None) -> None:
    Trade.objects.filter(quantity=1).update(point_value=100, pnl=1000)
    (finding,) = find()
    assert (finding.kind, finding.mendable) == ("trade_differs_from_lot", False)
    assert finding.sentence.endswith("differ in point value.")
