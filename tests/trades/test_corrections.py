"""Corrections: the trade stays, the sums follow the correction."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Sum

from tests.alerts import Poster
from trades.corrections import correct, with_counted_pnl
from trades.models import Correction, Trade


@pytest.fixture
def user(databases: None) -> User:
    return User.objects.create_user("trader")


@pytest.fixture
def trade(post: Poster) -> Trade:
    """Long 2 from 100 to 110, point value 1, no commission: 20."""
    post(quantity="2")
    post(action="sell", quantity="2", price="110", time="2026-01-05T15:00:00Z")
    return Trade.objects.get()


def counted() -> Any:
    return with_counted_pnl(Trade.objects.all()).aggregate(sum=Sum("counted_pnl"))["sum"]


def test_the_trade_stays_and_the_sum_follows(trade: Trade, user: User) -> None:
    correction = correct(trade, user=user, reason="Filled lower.", exit_price=D("108.5"))
    assert correction.pnl == D(17)
    assert (correction.quantity, correction.entry_price, correction.commission) == (2, 100, 0)
    trade.refresh_from_db()
    assert (trade.exit_price, trade.pnl) == (110, 20)
    assert counted() == 17


def test_the_latest_counts_and_builds_on_the_one_before(trade: Trade, user: User) -> None:
    first = correct(trade, user=user, reason="Filled lower.", exit_price=D(108))
    second = correct(trade, user=user, reason="And it cost.", commission=D("1.5"))
    assert (second.exit_price, second.pnl) == (108, D("14.5"))
    assert counted() == D("14.5")
    first.refresh_from_db()
    assert (first.stands, second.stands) == (False, True)
    assert Correction.objects.count() == 2


def test_a_trade_that_never_happened(trade: Trade, user: User) -> None:
    assert correct(trade, user=user, reason="A test alert.", quantity=D(0)).pnl == 0
    assert counted() == 0


def test_a_short_trade(post: Poster, user: User) -> None:
    post(action="sell", quantity="2")
    post(action="buy", quantity="2", price="90", time="2026-01-05T15:00:00Z")
    correction = correct(Trade.objects.get(), user=user, reason="x", exit_price=D(95))
    assert correction.pnl == 10


def test_a_point_value_that_was_not_known(post: Poster, user: User) -> None:
    """Natural gas is worth 10,000 a point, and was booked with 1."""
    post(symbol="NYMEX:NG1!", price="3.1")
    post(symbol="NYMEX:NG1!", action="sell", price="3.2", time="2026-01-05T15:00:00Z")
    trade = Trade.objects.get()
    assert trade.pnl == D("0.1")
    first = correct(trade, user=user, reason="It is 10,000.", point_value=D(10_000))
    assert first.point_value == 10_000 and first.pnl == counted() == 1000
    second = correct(trade, user=user, reason="And it cost.", commission=D(2))
    assert second.point_value == 10_000 and second.pnl == counted() == 998
    trade.refresh_from_db()
    assert (trade.point_value, trade.pnl) == (1, D("0.1"))


def test_one_from_before_point_values_could_be_corrected(post: Poster, user: User) -> None:
    post(symbol="CME_MINI:ES1!")
    post(symbol="CME_MINI:ES1!", action="sell", price="110", time="2026-01-05T15:00:00Z")
    trade = Trade.objects.get()
    correct(trade, user=user, reason="Filled lower.", exit_price=D(109))
    Correction.objects.update(stated_point_value=None)
    assert Correction.objects.get().point_value == 50
    with pytest.raises(ValidationError, match="Nothing would change"):
        correct(trade, user=user, reason="x", point_value=D(50))
    assert correct(trade, user=user, reason="And it cost.", commission=D(2)).pnl == 448


def test_trades_without_a_correction_count_as_they_are(trade: Trade, post: Poster) -> None:
    assert counted() == 20


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"reason": "  ", "exit_price": D(1)}, "reason"),
        ({"reason": "x"}, "__all__"),
        ({"reason": "x", "exit_price": D(110), "quantity": D("2.0")}, "__all__"),
        ({"reason": "x", "exit_price": D(0)}, "exit_price"),
        ({"reason": "x", "entry_price": D(-1)}, "entry_price"),
        ({"reason": "x", "quantity": D(-1)}, "quantity"),
        ({"reason": "x", "commission": D("NaN")}, "commission"),
        ({"reason": "x", "point_value": D(0)}, "point_value"),
        ({"reason": "x", "point_value": D("Infinity")}, "point_value"),
    ],
)
def test_what_cannot_be_is_refused(
    trade: Trade, user: User, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        correct(trade, user=user, **values)
    assert list(raised.value.message_dict) == [field]
    assert not Correction.objects.exists()


def test_the_database_holds_that_one_stands(trade: Trade, user: User) -> None:
    correction = correct(trade, user=user, reason="x", quantity=D(1))
    correction.pk = None
    with pytest.raises(IntegrityError, match="correction_one_stands"), transaction.atomic():
        correction.save(force_insert=True)


def test_who_corrected_stays_known(trade: Trade, user: User) -> None:
    correct(trade, user=user, reason="x", quantity=D(1))
    with pytest.raises(ProtectedError):
        user.delete()
