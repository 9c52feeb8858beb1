"""Lists as files, read back as spreadsheets read them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.factories import LotFactory, StrategyFactory, TradeFactory, WebhookLogFactory
from trades.corrections import correct

TRADES = "trades_trade"
#: What a spreadsheet would compute, or takes for the end of a cell.
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


def export(client: Client, listed: str = TRADES, form: str = "csv", **parameters: Any) -> Any:
    return client.get(reverse(f"admin:{listed}_export"), {"format": form, **parameters})


def rows(client: Client, listed: str = TRADES, **parameters: Any) -> list[dict[str, str]]:
    answer = export(client, listed, **parameters)
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def cells(client: Client, listed: str = TRADES, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of the workbook, values as it holds them."""
    answer = export(client, listed, "xlsx", **parameters)
    assert answer.status_code == 200
    sheet: Any = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    head, *others = sheet.iter_rows()
    names = [cell.value for cell in head]
    assert all(cell.data_type != "f" for row in others for cell in row)
    return [dict(zip(names, (cell.value for cell in row), strict=True)) for row in others]


@pytest.fixture
def trade(staff: Client) -> Any:
    exact = TradeFactory(
        quantity=D("12500000.500"),
        entry_price=D("0.000000000000000001"),
        exit_price=D("123456789.123456789012345678"),
        pnl=D("-15.50"),
        commission=D("1E+1"),
        exit_time=datetime(2026, 1, 5, 23, 30, 0, 250000, tzinfo=UTC),
    )
    correct(exact, user=User.objects.get(), reason="It cost.", commission=D(0))
    return exact


def test_numbers_are_plain_and_times_utc(staff: Client, trade: Any) -> None:
    staff.post(reverse("time-zone"), {"zone": "Asia/Tokyo"})
    (row,) = rows(staff)
    assert row["id"] == str(trade.pk)
    assert row["quantity"] == "12500000.5"
    assert row["entry_price"] == "0.000000000000000001"
    assert row["exit_price"] == "123456789.123456789012345678"
    assert (row["pnl"], row["commission"], row["pnl_reported"]) == ("-15.5", "10", "")
    assert row["exit_time"] == "2026-01-05T23:30:00.250000Z"
    assert row["corrected_pnl"] == f"{trade.corrections.get().pnl:f}"


def test_a_workbook_has_numbers_to_compute_with(staff: Client, trade: Any) -> None:
    (row,) = cells(staff)
    assert (row["pnl"], row["quantity"], row["commission"]) == (-15.5, 12500000.5, 10)
    assert row["pnl_reported"] is None
    assert row["exit_time"] == "2026-01-05T23:30:00.250000Z"


def test_a_workbook_loses_no_digits(staff: Client, trade: Any) -> None:
    told = {
        "quantity": D("0.013579246801357924"),
        "entry_price": D("1E+400"),
        "commission": D("0.1234567890123456"),
        "pnl": D("-9007199254740993"),
        "exit_price": D("0.000000000000123456789012345"),
    }
    TradeFactory(**told)
    row = cells(staff)[0]
    assert {name: D(str(row[name])) for name in told} == told
    # Fifteen digits are a number, wherever they stand.
    assert isinstance(row["exit_price"], float)
    assert row["quantity"] == "0.013579246801357924"


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_text_is_a_formula(staff: Client, formula: str) -> None:
    strategy = StrategyFactory(name=formula)
    TradeFactory(strategy=strategy, symbol=formula, currency=formula[:20], pnl=D(-1))
    WebhookLogFactory(strategy=formula, symbol=formula, error_message=formula, payload=formula)
    (row,) = rows(staff)
    assert row["strategy"] == row["symbol"] == row["currency"] == f"'{formula}"
    assert row["pnl"] == "-1"
    (alert,) = rows(staff, "webhooks_webhooklog")
    for name in ("strategy", "symbol", "error_message", "payload"):
        assert alert[name] == f"'{formula}"
    if not formula.startswith("\r"):  # Which a workbook keeps as it likes.
        (cell,) = cells(staff)
        assert cell["strategy"] == cell["symbol"] == f"'{formula}"
        assert cell["pnl"] == -1


def test_a_workbook_shows_what_it_cannot_hold(staff: Client) -> None:
    WebhookLogFactory(strategy="a\x01b\x1f", error_message="\uffff\t\n😀", payload="{\x0b}")
    (cell,) = cells(staff, "webhooks_webhooklog")
    assert cell["strategy"] == r"a\x01b\x1f"
    assert cell["error_message"] == "\\uffff\t\n😀"
    assert cell["payload"] == r"{\x0b}"
    (row,) = rows(staff, "webhooks_webhooklog")
    assert (row["strategy"], row["payload"]) == ("a\x01b\x1f", "{\x0b}")


@pytest.mark.parametrize("character", ["a", "😀"])
def test_a_workbook_says_where_it_cuts(staff: Client, character: str) -> None:
    # Excel counts what lies beyond the first 65,536 characters of Unicode as two.
    most = 32_767 // (len(character.encode("utf-16-le")) // 2)
    WebhookLogFactory(payload=character * most)
    (cell,) = cells(staff, "webhooks_webhooklog")
    assert cell["payload"] == character * most
    WebhookLogFactory(payload=character * (most + 1))
    cut = cells(staff, "webhooks_webhooklog")[0]["payload"]
    kept, said = cut.split("…")
    assert said == f" cut: {most + 1:,} characters in all; the CSV has them"
    assert set(kept) == {character}
    assert 32_765 <= len(cut.encode("utf-16-le")) // 2 <= 32_767
    assert rows(staff, "webhooks_webhooklog")[0]["payload"] == character * (most + 1)


def test_a_file_has_what_the_list_shows(staff: Client) -> None:
    TradeFactory(direction="long", pnl=D(1))
    for pnl in (3, 2):
        TradeFactory(direction="short", pnl=D(pnl), symbol="NASDAQ:AAPL")
    TradeFactory(direction="short", pnl=D(9), symbol="NASDAQ:MSFT")
    shown = {"direction__exact": "short", "q": "aapl", "o": "9"}
    assert [row["pnl"] for row in rows(staff, **shown)] == ["2", "3"]
    page = staff.get(reverse("admin:trades_trade_changelist"), shown).content.decode()
    for form in ("csv", "xlsx"):
        link = page.split(f'href="/admin/trades/trade/export/?format={form}&amp;')[1].split('"')[0]
        assert set(link.split("&amp;")) == {"direction__exact=short", "q=aapl", "o=9"}


def test_a_trade_names_its_alerts(staff: Client) -> None:
    entry, leave = WebhookLogFactory.create_batch(2, status="processed")
    trade = TradeFactory()
    LotFactory(trade=trade, status="closed", entry_webhook_log=entry, exit_webhook_log=leave)
    LotFactory()
    (row,) = rows(staff)
    assert row["entry_correlation_id"] == str(entry.correlation_id)
    assert row["exit_correlation_id"] == str(leave.correlation_id)
    (lot,) = rows(staff, "positions_lot", status__exact="closed")
    assert (lot["trade_id"], lot["strategy"]) == (str(trade.pk), "Alpha")
    assert len(rows(staff, "positions_lot")) == 1


def test_more_than_a_file_takes_is_said(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    TradeFactory.create_batch(3)
    monkeypatch.setattr("audit.exporting.MOST_EXPORTED", 2)
    answer = staff.get(
        reverse("admin:trades_trade_export"),
        {"format": "csv", "direction__exact": "long"},
        follow=True,
    )
    assert "more than 2 rows" in answer.content.decode()
    assert answer.redirect_chain == [("/admin/trades/trade/?direction__exact=long", 302)]
    monkeypatch.setattr("audit.exporting.MOST_EXPORTED", 3)
    assert len(rows(staff)) == 3


def test_no_other_format(staff: Client) -> None:
    for form in ("", "json", "html"):
        assert export(staff, form=form).status_code == 404


def test_who_may_not_look_may_not_download(staff: Client) -> None:
    TradeFactory()
    user = User.objects.create_user("looker", is_staff=True)
    staff.force_login(user)
    assert export(staff).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_trade"))
    assert len(rows(staff)) == 1
    assert export(staff, "webhooks_webhooklog").status_code == 403
