"""Values of many digits and sentences of many words: none is printed over another or cut off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db.models import Model
from playwright.sync_api import Page, expect

from positions.models import Lot
from tests.browser.conftest import Tab
from tests.browser.test_admin import page_of
from tests.browser.test_overview import LOOKS, fits
from tests.factories import LotFactory, StrategyFactory, TradeFactory
from trades.models import Trade
from watch.models import Alarm, Rule

#: The elements whose text leaves their own box, told by that text.
SPILLING = """elements => elements.filter(element => {
  const box = element.getBoundingClientRect(), range = document.createRange();
  range.selectNodeContents(element);
  return [...range.getClientRects()].some(one =>
    one.left < box.left - 1 || one.right > box.right + 1 || one.bottom > box.bottom + 1
  );
}).map(element => element.textContent.trim())"""

LONG = Decimal("1569.7491309162238905")


@pytest.fixture
def long_values(databases: None) -> None:
    """Trades, a lot and an alarm that are wider than what they stand in."""
    strategy = StrategyFactory(name="A strategy with quite a long name")
    for pnl in (LONG, -LONG, LONG * 12_345_678):
        TradeFactory(
            strategy=strategy,
            quantity=Decimal("12500000.123456789012345678"),
            entry_price=Decimal("123456789.123456789012345678"),
            exit_price=Decimal("0.000000000000000001"),
            pnl=pnl,
            pnl_reported=-pnl,
            pnl_discrepancy=2 * pnl,
            commission=Decimal("0.123456789012345678"),
        )
    LotFactory(
        strategy=strategy,
        quantity=Decimal("12500000.123456789012345678"),
        entry_price=Decimal("123456789.123456789012345678"),
    )
    sentence = "Alerts of a strategy were refused: 5 of the last 7, and every one of them today. "
    Alarm.objects.create(
        rule=Rule.FAILURES,
        strategy=strategy.name,
        text=sentence * 3,
        fired_at=datetime.now(UTC),
        cleared_at=datetime.now(UTC),
    )


def spilling(page: Page, selector: str) -> list[str]:
    found = page.locator(selector)
    expect(found).not_to_have_count(0)
    told: list[str] = found.evaluate_all(SPILLING)
    return told


@pytest.mark.parametrize("look", LOOKS)
def test_no_sum_is_printed_over_another(
    long_values: None, open_tab: Callable[..., Tab], look: str
) -> None:
    page = open_tab(**LOOKS[look]).open(page_of(Trade))
    expect(page.locator(".totals")).to_contain_text(f"−{LONG:,}")
    assert spilling(page, ".totals dl > div") == []


@pytest.mark.parametrize("model", [Trade, Lot, Alarm])
def test_no_card_on_a_phone_cuts_a_value_off(
    long_values: None, open_tab: Callable[..., Tab], model: type[Model]
) -> None:
    page = open_tab(**LOOKS["phone"]).open(page_of(model))
    assert spilling(page, "#result_list tr.data-row > :is(td, th)") == []
    assert spilling(page, "#result_list tr.data-row") == []


def test_an_alarms_sentence_stays_in_its_table(
    long_values: None, open_tab: Callable[..., Tab]
) -> None:
    page = open_tab(**LOOKS["light"]).open(page_of(Alarm))
    assert fits(page)
    table = page.locator("#result_list")
    assert table.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")
    assert spilling(page, "#result_list td.field-text") == []
