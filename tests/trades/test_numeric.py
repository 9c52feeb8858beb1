"""Exact arithmetic, and the numbers that forms take so that it has room for them."""

from __future__ import annotations

from decimal import Decimal as D
from decimal import DecimalException

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.factories import StrategyFactory
from trades.direction import Direction
from trades.models import Strategy
from trades.numeric import exactly
from trades.pnl import realised_pnl


def test_what_has_no_room_raises_and_is_not_nan() -> None:
    with pytest.raises(DecimalException):
        realised_pnl(
            direction=Direction.LONG,
            quantity=D(1),
            entry_price=D(100),
            exit_price=D(110),
            point_value=D("1e200"),
            commission=D(0),
        )


def test_no_number_comes_of_nothing_by_nothing() -> None:
    with exactly(), pytest.raises(DecimalException):
        D(0) / D(0)
    with exactly(), pytest.raises(DecimalException):
        D(1) / D(0)


@pytest.fixture
def staff(databases: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    return client


@pytest.mark.parametrize("field", ["point_value", "default_quantity"])
def test_a_strategy_takes_what_an_alert_may_tell(staff: Client, field: str) -> None:
    strategy = StrategyFactory()
    path = reverse("admin:trades_strategy_change", args=[strategy.pk])
    form = {"enabled": "on", "default_quantity": "1", "point_value": "", "tell_trades": "unknown"}
    longest = f"{'9' * 18}.{'9' * 36}"
    assert staff.post(path, {**form, field: longest}).status_code == 302
    for too_long in ("1e400", "1e18", f"0.{'1' * 130}", f"0.{'1' * 37}"):
        answer = staff.post(path, {**form, field: too_long})
        assert answer.context["adminform"].form.errors.keys() == {field}, too_long
    assert getattr(Strategy.objects.get(pk=strategy.pk), field) == D(longest)
