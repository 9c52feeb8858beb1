"""Trades that were booked before the point value was known: corrected together, once shown."""

from __future__ import annotations

import re
from decimal import Decimal as D
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.alerts import Poster
from tests.tradelog.pages import text_of
from trades import revalue_page
from trades.corrections import correct
from trades.models import Correction, Strategy, Trade
from trades.totals import totals

LIST = "/admin/trades/trade/"
GAS = "NYMEX:NG1!"


@pytest.fixture
def trades(staff: Client, post: Poster) -> list[Trade]:
    """Natural gas, booked with 1 a point: 0.1 and −0.3. Its 10,000 is set afterwards."""
    for day, left in (("05", "3.1"), ("06", "2.7")):
        post(symbol=GAS, price="3", time=f"2026-01-{day}T14:30:00Z")
        post(symbol=GAS, action="sell", price=left, time=f"2026-01-{day}T15:00:00Z")
    Strategy.objects.update(point_value=D(10_000))
    booked = list(Trade.objects.order_by("pk"))
    assert [trade.pnl for trade in booked] == [D("0.1"), D("-0.3")]
    return booked


def choose(client: Client, trades: list[Trade], path: str = LIST, **told: str) -> Any:
    """As the list sends it, and as its page sends it again with what `told` has."""
    form = {"action": "revalue", "_selected_action": [trade.pk for trade in trades], **told}
    return client.post(path, form, follow=True)


def shown_on(page: Any) -> str:
    [digest] = re.findall(r'name="shown" value="(\w+)"', page.content.decode())
    return str(digest)


def test_it_says_what_would_change_and_changes_that(staff: Client, trades: list[Trade]) -> None:
    page = choose(staff, trades)
    assert f"Alpha {GAS} 2 1 10,000 −0.2 −2,000" in text_of(page)
    assert not Correction.objects.exists()
    answer = choose(staff, trades, shown=shown_on(page), reason="It was not known.")
    assert answer.redirect_chain == [(LIST, 302)]
    assert "2 trades are corrected." in text_of(answer)
    [total] = totals(Trade.objects.all())
    assert total.tally.net == -2000
    for made, trade in zip(Correction.objects.order_by("trade_id"), trades, strict=True):
        assert (made.trade, made.stands, made.reason) == (trade, True, "It was not known.")
        assert (made.point_value, made.pnl) == (D(10_000), trade.pnl * 10_000)
        assert made.made_by.username == "trader"
    assert [(trade.pnl, trade.point_value) for trade in Trade.objects.order_by("pk")] == [
        (D("0.1"), 1), (D("-0.3"), 1),
    ]  # fmt: skip
    again = text_of(choose(staff, trades))
    assert "None of these trades counts with another point value" in again


def test_what_was_corrected_before_stays_as_it_counts(staff: Client, trades: list[Trade]) -> None:
    first, last = trades
    user = User.objects.get()
    before = correct(first, user=user, reason="It cost.", exit_price=D("3.2"), commission=D(2))
    never = correct(last, user=user, reason="A test.", quantity=D(0))
    page = choose(staff, trades)
    assert f"Alpha {GAS} 1 1 10,000 −1.8 +1,998" in text_of(page)
    assert "1 that counts with today's point value, or never happened" in text_of(page)
    choose(staff, trades, shown=shown_on(page), reason="It was not known.")
    standing = Correction.objects.get(trade=first, stands=True)
    assert (standing.exit_price, standing.commission, standing.pnl) == (D("3.2"), 2, 1998)
    before.refresh_from_db()
    assert not before.stands
    assert Correction.objects.get(trade=last) == never


def test_each_book_and_currency_is_told_apart(
    staff: Client, trades: list[Trade], post: Poster
) -> None:
    for strategy, currency in (("Alpha", "EUR"), ("Beta", "USD")):
        told: Any = {"strategy": strategy, "symbol": GAS, "currency": currency}
        post(**told, price="3", time="2026-01-07T14:30:00Z")
        post(**told, action="sell", price="3.5", time="2026-01-07T15:00:00Z")
    Strategy.objects.filter(name="Alpha").update(point_value=D(1000))
    Strategy.objects.filter(name="Beta").update(point_value=D(2))
    text = text_of(choose(staff, list(Trade.objects.all())))
    assert f"Alpha {GAS} 2 1 1,000 −0.2 −200" in text
    assert f"Alpha {GAS} 1 10,000 1,000 +5,000 EUR +500 EUR" in text
    assert f"Beta {GAS} 1 1 2 +0.5 USD +1 USD" in text


def test_what_is_no_longer_as_it_was_shown_is_shown_again(
    staff: Client, trades: list[Trade]
) -> None:
    page = choose(staff, trades)
    correct(trades[0], user=User.objects.get(), reason="x", commission=D(1))
    answer = choose(staff, trades, shown=shown_on(page), reason="It was not known.")
    assert answer.status_code == 400
    assert "Nothing was changed: it is no longer what was shown." in text_of(answer)
    assert f"Alpha {GAS} 2 1 10,000 −1.2 −2,001" in text_of(answer)
    assert "It was not known." in answer.content.decode()
    assert Correction.objects.get().commission == 1
    choose(staff, trades, shown=shown_on(answer), reason="It was not known.")
    assert Correction.objects.count() == 3


def test_it_asks_why(staff: Client, trades: list[Trade]) -> None:
    page = choose(staff, trades)
    answer = choose(staff, trades, shown=shown_on(page), reason=" ")
    assert answer.status_code == 400
    assert "Say why" in text_of(answer)
    assert not Correction.objects.exists()


def test_all_that_a_filter_leaves(staff: Client, trades: list[Trade], post: Poster) -> None:
    """The list shows a page of them; all are chosen, and no other symbol's."""
    post(price="3")
    post(action="sell", price="4", time="2026-01-05T15:00:00Z")
    Strategy.objects.update(point_value=D(5))
    path = f"{LIST}?symbol={GAS}"
    page = choose(staff, trades[:1], path, select_across="1")
    assert f"Alpha {GAS} 2 1 5" in text_of(page)
    sent = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w*)"', page.content.decode()))
    assert (sent["select_across"], sent["action"]) == ("1", "revalue")
    assert sent["_selected_action"] == str(trades[0].pk)
    answer = staff.post(path, {**sent, "reason": "It was not known."}, follow=True)
    assert answer.redirect_chain == [(path, 302)]
    assert {each.trade for each in Correction.objects.all()} == set(trades)


def test_too_many_are_not_begun(
    staff: Client, trades: list[Trade], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revalue_page, "MOST", 1)
    assert "These are more than 1 trades" in text_of(choose(staff, trades))
    assert "Alpha NYMEX:NG1! 1 1 10,000" in text_of(choose(staff, trades[:1]))


def test_only_who_may_correct_is_offered_it(staff: Client, trades: list[Trade]) -> None:
    shown = shown_on(choose(staff, trades))
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    staff.force_login(looker)
    assert 'value="revalue"' not in staff.get(LIST).content.decode()
    choose(staff, trades, shown=shown, reason="x")
    assert not Correction.objects.exists()
    looker.user_permissions.add(Permission.objects.get(codename="add_correction"))
    staff.force_login(User.objects.get(pk=looker.pk))
    assert 'value="revalue"' in staff.get(LIST).content.decode()
    choose(staff, trades, shown=shown, reason="x")
    assert Correction.objects.count() == 2
