"""The page that corrects a trade: what it asks for, and what counts afterwards."""

from __future__ import annotations

import csv
import json
import threading
from contextlib import closing
from datetime import UTC
from decimal import Decimal as D
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse

from tests.alerts import Poster
from tests.factories import TradeFactory
from tests.server import databases_of_this_run
from tests.tradelog.pages import WHOLE, show, text_of
from trades.corrections import correct
from trades.models import Correction, Strategy, Trade
from trades.results import results
from trades.totals import totals
from webhooks.export_book import our_groups
from webhooks.trade_audit import audit


@pytest.fixture
def trade(post: Poster) -> Trade:
    """Long 2 from 100 to 110 for 0.5 of commission: 19.5."""
    post(quantity="2", commission="0.2")
    post(action="sell", quantity="2", price="110", commission="0.3", time="2026-01-05T15:00:00Z")
    return Trade.objects.get()


def path_of(trade: Trade) -> str:
    return reverse("correct-trade", args=[trade.pk])


def shown(trade: Trade) -> str:
    """What a form that is opened now says of the correction that stands."""
    standing = trade.corrections.filter(stands=True).first()
    return str(standing.pk) if standing else ""


def send(client: Client, trade: Trade, **told: str) -> Any:
    form = {"quantity": "2", "entry_price": "100", "exit_price": "110", "commission": "0.5"}
    form |= {"point_value": "1", "reason": "Filled lower.", "shown": shown(trade)}
    return client.post(path_of(trade), {**form, **told}, follow=True)


def test_both_are_shown_and_the_correction_counts(staff: Client, trade: Trade) -> None:
    page = staff.get(reverse("admin:trades_trade_change", args=[trade.pk])).content.decode()
    assert f'href="{path_of(trade)}"' in page
    form = staff.get(path_of(trade)).content.decode()
    for value in ("2", "100", "110", "0.5"):
        assert f'value="{value}"' in form
    answer = send(staff, trade, exit_price="108.5")
    assert answer.redirect_chain == [(reverse("admin:trades_trade_change", args=[trade.pk]), 302)]
    text = text_of(answer)
    assert "Its P&L counts as 16.5 now; 19.5 was booked." in text
    assert "Corrected by trader" in text and "Filled lower." in text
    assert "Exit price 110 108.5" in text
    correction = Correction.objects.get()
    assert (correction.made_by, correction.pnl) == (User.objects.get(), D("16.5"))
    assert "Net P&L +16.50" in text_of(show(staff, **{**WHOLE, "to": "2026-12-31"}))
    trade.refresh_from_db()
    assert (trade.exit_price, trade.pnl) == (D(110), D("19.5"))


def test_another_one_begins_with_what_counts(staff: Client, trade: Trade) -> None:
    send(staff, trade, exit_price="108.5")
    page = staff.get(path_of(trade))
    assert 'value="108.5"' in page.content.decode()
    assert "P&L 16.5" in text_of(page).replace("+", "")
    send(staff, trade, exit_price="108.5", quantity="0", reason="It was a test.")
    assert Correction.objects.get(stands=True).pnl == D("-0.5")
    send(staff, trade, exit_price="108.5", quantity="0", commission="0", reason="No charge.")
    assert Correction.objects.get(stands=True).pnl == 0
    assert Correction.objects.count() == 3


def test_the_point_value_counts_wherever_trades_are_summed_up(staff: Client, trade: Trade) -> None:
    Strategy.objects.update(point_value=D(50))
    page = text_of(staff.get(path_of(trade)))
    assert "By its strategy it would be 50 today." in page and "point value 1," in page
    answer = send(staff, trade, point_value="50", reason="It was not known.")
    assert "Point value 1 50" in text_of(answer)
    [one] = [each.tally.net for each in totals(Trade.objects.all())]
    assert one == results(Trade.objects.all(), UTC)[0].total.net == D("999.5")
    assert "Net P&L +999.50" in text_of(show(staff, **{**WHOLE, "to": "2026-12-31"}))
    statistics = staff.get("/api/statistics/", {"from": "2026-01-01", "to": "2026-01-31"}).json()
    assert '"999.5"' in json.dumps(statistics)
    told = staff.get(f"/api/trades/{trade.pk}/").json()
    assert (told["point_value"], told["pnl"], told["pnl_counted"]) == ("1", "19.5", "999.5")
    assert told["correction"]["point_value"] == told["corrections"][0]["point_value"] == "50"
    listed = staff.get("/admin/trades/trade/export/", {"format": "csv"}).content.decode()
    [row] = csv.DictReader(listed.splitlines())
    assert (row["point_value"], row["pnl"], row["corrected_pnl"]) == ("1", "19.5", "999.5")
    [group] = our_groups(trade.strategy, trade.symbol)
    assert group.pnl == D("999.5")
    assert list(audit()) == []


@pytest.mark.parametrize("left_open", [{"shown": ""}, {}])
def test_a_form_from_before_another_correction_undoes_nothing(
    staff: Client, trade: Trade, left_open: dict[str, str]
) -> None:
    """Two have it open; the first says the price, the second adds a commission alone."""
    other = User.objects.create_superuser("partner")
    correct(trade, user=other, reason="Filled lower.", exit_price=D(108))
    told = {"quantity": "2", "entry_price": "100", "exit_price": "110", "point_value": "1"}
    told |= {"commission": "2", "reason": "It cost more."}
    answer = staff.post(path_of(trade), {**told, **left_open})
    assert answer.status_code == 400
    text = text_of(answer)
    assert "Nothing was changed: partner corrected this trade at" in text
    assert "counts as 108 now" in text and "counts as 0.5 now" in text
    assert "counts as 100 now" not in text and "counts as 2 now" not in text
    page = answer.content.decode()
    assert 'value="110"' in page and "It cost more." in page
    assert Correction.objects.get().exit_price == 108
    # With what counts now before his eyes, he sends it again.
    assert f'name="shown" value="{shown(trade)}"' in page
    send(staff, trade, exit_price="108", commission="2")
    latest = Correction.objects.get(stands=True)
    assert (latest.exit_price, latest.commission, latest.pnl) == (108, 2, 14)


def test_a_correction_that_is_being_made_is_waited_for(staff: Client, trade: Trade) -> None:
    answers: list[int] = []

    def send_it() -> None:
        with closing(connections["default"]), closing(connections["wal"]):
            answers.append(send(staff, trade, shown="", commission="2").status_code)

    url = databases_of_this_run()["DATABASE_URL"]
    sending = threading.Thread(target=send_it)
    with psycopg.connect(url, autocommit=True) as looking:
        with transaction.atomic():
            user = User.objects.get(username="trader")
            correct(trade, user=user, reason="Filled lower.", exit_price=D(108))
            sending.start()
            while not looking.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                assert sending.is_alive(), "it did not wait"
        sending.join()
    assert answers == [400]
    assert Correction.objects.get().exit_price == 108


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"exit_price": "108", "reason": "  "}, "Say why"),
        ({}, "Nothing would change."),
        ({"exit_price": "0"}, "A price is above 0."),
        ({"point_value": "0"}, "A point value is above 0."),
        ({"quantity": "-1"}, "A quantity is 0 (the trade never happened) or more."),
        ({"exit_price": "lower"}, "Enter a number."),
        ({"exit_price": "NaN"}, "Enter a number."),
        ({"exit_price": ""}, "This field is required."),
        ({"exit_price": "1e500000"}, "Ensure that there are no more than"),
        ({"commission": "1e-37"}, "Ensure that there are no more than 36 decimal places."),
    ],
)
def test_what_cannot_be_is_said(
    staff: Client, trade: Trade, told: dict[str, str], fault: str
) -> None:
    answer = send(staff, trade, **told)
    assert answer.status_code == 400
    assert fault in text_of(answer)
    assert not Correction.objects.exists()


def test_every_digit_is_kept(staff: Client, databases: None) -> None:
    tiny = D("123456789012345678.123456789012345678")
    trade = TradeFactory(entry_price=tiny, exit_price=tiny)
    form = {"entry_price": f"{tiny}", "exit_price": f"{tiny}", "commission": "0", "quantity": "3"}
    assert send(staff, trade, **form).status_code == 200
    assert Correction.objects.get().entry_price == tiny


def test_only_who_may_correct_is_offered_it(staff: Client, trade: Trade) -> None:
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    staff.force_login(looker)
    page = staff.get(reverse("admin:trades_trade_change", args=[trade.pk])).content.decode()
    assert path_of(trade) not in page
    assert staff.get(path_of(trade)).status_code == 403
    assert send(staff, trade, exit_price="1").status_code == 403
    looker.user_permissions.add(Permission.objects.get(codename="add_correction"))
    staff.force_login(User.objects.get(pk=looker.pk))
    assert send(staff, trade, exit_price="109").status_code == 200
    assert Client().get(path_of(trade)).status_code == 302
    staff.force_login(User.objects.get(username="trader"))
    assert staff.get(reverse("correct-trade", args=[trade.pk + 1])).status_code == 404
