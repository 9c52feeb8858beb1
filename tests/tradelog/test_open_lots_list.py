"""The list of positions: open lots while nothing is asked, and no lot hidden in silence."""

from __future__ import annotations

import csv
import io
import re

import pytest
from django.test import Client
from django.urls import reverse

from positions.models import Lot
from tests.factories import LotFactory, TradeFactory, WebhookLogFactory
from tests.tradelog.lists import LOTS, TRADES, moment, page, shown, words

ALL = "?status__exact=all"


@pytest.fixture
def lots(staff: Client) -> tuple[Lot, Lot]:
    """An open one, and one of the same book that was closed."""
    then = moment("2025-03-05T10:00")
    return LotFactory(entry_time=then), LotFactory(
        entry_time=then,
        status="closed",
        exit_webhook_log=WebhookLogFactory(status="processed"),
        trade=TradeFactory(),
    )


def test_open_ones_while_nothing_is_asked(staff: Client, lots: tuple[Lot, Lot]) -> None:
    opened, closed = (lot.pk for lot in lots)
    for how_it_looks in ({}, {"o": "1"}, {"p": "1"}, {"q": ""}, {"status__exact": ""}):
        assert shown(staff, LOTS, **how_it_looks) == [opened], how_it_looks
    assert shown(staff, LOTS, status__exact="open") == [opened]
    assert shown(staff, LOTS, status__exact="closed") == [closed]
    assert shown(staff, LOTS, status__exact="all") == [closed, opened]


def test_what_is_asked_for_is_looked_for_among_all(staff: Client, lots: tuple[Lot, Lot]) -> None:
    opened, closed = lots
    both = [closed.pk, opened.pk]
    assert shown(staff, LOTS, q=f"#{closed.pk}") == [closed.pk]
    assert shown(staff, LOTS, q="btc") == both
    assert shown(staff, LOTS, entry_time__year=2025) == both
    assert shown(staff, LOTS, strategy=opened.strategy_id) == both
    assert shown(staff, LOTS, strategy=opened.strategy_id, status__exact="open") == [opened.pk]
    exported = staff.get(reverse("admin:positions_lot_export"), {"format": "csv", "q": "btc"})
    rows = csv.DictReader(io.StringIO(exported.content.decode()))
    assert [int(row["id"]) for row in rows] == both


def test_it_says_what_it_is_filtered_by(staff: Client, lots: tuple[Lot, Lot]) -> None:
    note = "Open lots; show all ."
    assert note in words(page(staff, LOTS))
    assert note not in words(page(staff, LOTS, status__exact="all"))
    addresses: list[tuple[dict[str, str], str]] = [
        ({}, "open"), ({"q": "btc"}, "all"), ({"status__exact": "closed"}, "closed"),
    ]  # fmt: skip
    for asked, chosen in addresses:
        status = page(staff, LOTS, **asked).split('name="status__exact"')[-1].split("</select>")[0]
        assert re.findall(r'value="(\w+)" selected', status) == [chosen]


def test_all_of_them_are_a_click_away(staff: Client, lots: tuple[Lot, Lot]) -> None:
    def leads_to_all(**asked: str) -> set[str]:
        links = re.findall(r'<a href="([^"]*)"[^>]*>(.*?)</a>', page(staff, LOTS, **asked), re.S)
        return {address for address, text in links if "how all" in text}

    for asked in ({}, {"status__exact": "open"}, {"q": "btc"}, {"q": "nothing"}):
        assert leads_to_all(**asked) == {ALL}, asked
    assert leads_to_all(status__exact="all") == set()
    clear = re.search(r"<a[^>]*clearall[^>]*>", page(staff, LOTS, direction__exact="long"))
    assert clear is not None and f'href="{ALL}"' in clear[0]


def test_other_lists_offer_all_where_something_is_left_out(staff: Client) -> None:
    TradeFactory()
    assert "Show all" in page(staff, TRADES, direction__exact="long")
    for how_it_looks in ({}, {"o": "1"}, {"p": "1"}):
        assert "Show all" not in page(staff, TRADES, **how_it_looks), how_it_looks


def test_without_open_ones_it_leads_to_the_closed(staff: Client) -> None:
    for how_it_looks in ({}, {"o": "1"}):
        assert "No open positions" in page(staff, LOTS, **how_it_looks)
