"""The page that compares an export: upload, report, import, undo."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from positions.models import Lot
from tests.alerts import Poster
from tests.trades.export_files import Form, Listed, as_csv, as_xlsx, rows
from tests.webhooks.exported_trades import FIRST, SECOND, listed, local, post_entry, post_trade
from tradelog import kept_exports
from trades.models import ImportBatch, Trade

URL = "/compare-export/"


@pytest.fixture
def page(post: Poster) -> Client:
    """Logged in as one who may do anything, with the first trade in the log."""
    post_trade(post, FIRST)
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    return client


def upload(
    client: Client, content: bytes | None = None, name: str = "list.csv", **told: str
) -> Any:
    if content is None:
        content = as_csv(rows([FIRST, SECOND], Form()))
    form = {
        "file": SimpleUploadedFile(name, content),
        "strategy": "Alpha",
        "symbol": "BINANCE:BTCUSDT",
        "time_zone": "UTC",
        "time_tolerance": "60",
        "price_tolerance": "0.001%",
        "quantity_tolerance": "0.1%",
        **told,
    }
    return client.post(URL, form)


def text_of(response: Any) -> str:
    """What a page says, without its tags."""
    content = response.content.decode()
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", content)).split())


def test_it_asks_for_a_file(page: Client) -> None:
    response = page.get(URL)
    assert response.status_code == 200
    assert "found by its trades" in text_of(response)
    assert '<option value="BINANCE:BTCUSDT">' in response.content.decode()
    # In the sidebar as well.
    assert f'href="{URL}"' in page.get("/admin/trades/trade/").content.decode()


def test_the_report(page: Client, post: Poster) -> None:
    rejected = post_entry(post, quantity="none")["webhook_log_id"]
    post_trade(post, listed(9, "12:00", "12:30"))
    response = upload(page)
    text = text_of(response)
    assert response.status_code == 200
    assert "1 matched, 0 differ, 1 missing here, 1 missing there." in text
    assert "INVALID_PAYLOAD" in text
    content = response.content.decode()
    assert reverse("admin:webhooks_webhooklog_change", args=[rejected]) in content
    extra = Trade.objects.latest("id")
    assert reverse("admin:trades_trade_change", args=[extra.pk]) in content


def test_what_differs(page: Client, post: Poster) -> None:
    post_trade(post, SECOND, price="123.75")
    text = text_of(upload(page))
    assert re.search(r"entry price 123\.5 123\.75 0\.25", text)
    assert "They agree" in text_of(upload(page, price_tolerance="15"))


def test_what_was_entered_here_already_is_not_offered(page: Client, post: Poster) -> None:
    two = replace(SECOND, quantity=Decimal(2))
    post_entry(post, two)
    parts = [SECOND, replace(SECOND, number=3, exit_price=Decimal(111))]
    report = upload(page, as_csv(rows([FIRST, *parts], Form())))
    assert "Not to be imported: what was entered then is here. lot" in text_of(report)
    lot = Lot.objects.latest("id")
    assert reverse("admin:positions_lot_change", args=[lot.pk]) in report.content.decode()
    assert "kept" not in report.context


def test_a_list_of_dates_alone_is_compared_to_a_day(page: Client) -> None:
    day = local("2026-01-05")
    daily = as_csv(rows([replace(FIRST, entry_time=day, exit_time=day)], Form()))
    assert "They agree" in text_of(upload(page, daily, time_zone="", time_tolerance=""))
    assert "They agree" not in text_of(upload(page, daily, time_zone="UTC"))


def test_numbers_are_written_as_everywhere(page: Client, post: Poster) -> None:
    post_trade(post, SECOND, price="120.5")
    text = text_of(upload(page, as_csv(rows([replace(FIRST, pnl=Decimal(1250)), SECOND], Form()))))
    assert re.search(r"entry price 123\.5 120\.5 −3", text)
    assert "P&L of those matched: 1,250 as TradingView tells it, 10 here." in text


def test_everything_is_found_by_itself(page: Client) -> None:
    response = upload(
        page, as_xlsx(rows([FIRST], Form(number=float))), "list.xlsx", strategy="", symbol="",
        time_zone="",
    )  # fmt: skip
    text = text_of(response)
    assert "They agree" in text and "found by its trades" in text and "found by best fit" in text


def test_import_and_undo(page: Client) -> None:
    report = upload(page)
    assert "Import the missing trade" in text_of(report)
    response = page.post(f"{URL}import/", {"kept": report.context["kept"]}, follow=True)
    batch = ImportBatch.objects.get()
    assert f"Imported 1 trade as import {batch.pk}." in text_of(response)
    user = User.objects.get()
    assert (batch.imported_by, batch.file_name, batch.count) == (user, "list.csv", 1)
    assert batch.trades.get().entry_price == Decimal("123.5")
    # The same page once more finds nothing to do.
    response = page.post(f"{URL}import/", {"kept": report.context["kept"]}, follow=True)
    assert "Nothing to import." in text_of(response)
    assert "They agree" in text_of(upload(page))
    trade = batch.trades.get()
    assert "list.csv" in text_of(page.get(reverse("admin:trades_trade_change", args=[trade.pk])))
    its_page = reverse("admin:trades_importbatch_change", args=[batch.pk])
    assert "1 trade" in text_of(page.get(its_page))
    listed = reverse("admin:trades_trade_changelist") + f"?import_batch__id__exact={batch.pk}"
    assert listed in page.get(its_page).content.decode()
    assert page.get(listed).status_code == 200
    response = page.post(f"{URL}undo/{batch.pk}/", follow=True)
    assert f"Import {batch.pk} is undone" in text_of(response)
    assert "none any more" in text_of(page.get(its_page))
    assert "&quot;entry_price&quot;: &quot;123.5&quot;" in page.get(its_page).content.decode()
    assert Trade.objects.count() == 1
    batch.refresh_from_db()
    assert batch.undone_by == user
    assert "was undone" in text_of(page.post(f"{URL}undo/{batch.pk}/", follow=True))
    assert "There is no import 999" in text_of(page.post(f"{URL}undo/999/", follow=True))


def test_what_was_kept_cannot_be_changed_nor_used_for_ever(
    page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = upload(page).context["kept"]
    for changed in (told[:-1], f"x{told}", ""):
        response = page.post(f"{URL}import/", {"kept": changed}, follow=True)
        assert "Nothing was imported" in text_of(response)
    monkeypatch.setattr(kept_exports, "_MOST_AGE", timedelta(seconds=-1))
    response = page.post(f"{URL}import/", {"kept": told}, follow=True)
    assert "too old" in text_of(response)
    assert not ImportBatch.objects.exists()


def test_a_list_too_long_for_the_page(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_exports, "_MOST_CHARACTERS", 10)
    response = upload(page)
    assert "too long to import from here" in text_of(response)
    assert "kept" not in response.context


def test_a_zone_that_is_not_sure_imports_nothing(page: Client) -> None:
    other = Listed(**{**vars(SECOND), "number": 1})
    report = upload(page, as_csv(rows([other], Form())), time_zone="")
    assert "taken for UTC" in text_of(report)
    assert "name the chart's time zone above" in text_of(report)
    assert "Import the" not in text_of(report)
    response = page.post(f"{URL}import/", {"kept": report.context["kept"]}, follow=True)
    assert "Nothing was imported: The time zone of the export cannot be told" in text_of(response)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"time_tolerance": "soon"}, "'soon' is no time up to a day"),
        ({"price_tolerance": "-1"}, "'-1' is no tolerance"),
        ({"quantity_tolerance": ""}, "This field is required."),
        ({"time_zone": "Atlantis"}, "'Atlantis' is no time zone"),
        ({"strategy": "Nobody"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_meant(page: Client, told: dict[str, Any], text: str) -> None:
    response = upload(page, **told)
    assert response.status_code == 400
    assert text in text_of(response)


def test_a_file_that_cannot_be_read(page: Client) -> None:
    table = rows([FIRST], Form())
    table[1][4] = "<b>free</b>"
    response = upload(page, as_csv(table))
    assert response.status_code == 400
    shown = html.escape("Row 2, column “Price USDT”: “<b>free</b>” is no number")
    assert shown in response.content.decode()
    assert "The file is empty." in text_of(upload(page, b""))
    assert "Choose a file." in text_of(page.post(URL, {}))


def test_a_file_that_is_too_large(page: Client) -> None:
    response = upload(page, b"x" * (10 * 1024 * 1024 + 1))
    assert response.status_code == 400
    assert "The file is larger than 10 MB." in text_of(response)
    exactly = upload(page, b"x\n" * (5 * 1024 * 1024))
    assert "No header of TradingView's list of trades" in text_of(exactly)


def test_only_the_staff(page: Client) -> None:
    stranger = Client()
    for url in (URL, f"{URL}import/", f"{URL}undo/1/"):
        response = stranger.get(url) if url == URL else stranger.post(url)
        assert response.status_code == 302 and "/login/" in response["Location"]
    stranger.force_login(User.objects.create_user("nobody"))
    assert stranger.get(URL).status_code == 302


def test_who_may_only_look(page: Client) -> None:
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    told = upload(page).context["kept"]
    page.force_login(looker)
    response = upload(page)
    assert "Your user may not import trades." in text_of(response)
    assert page.post(f"{URL}import/", {"kept": told}).status_code == 403
    assert page.post(f"{URL}undo/1/").status_code == 403
    assert not ImportBatch.objects.exists()


def test_forms_of_other_sites_are_refused(page: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    assert upload(strict).status_code == 403
    assert strict.post(f"{URL}undo/1/").status_code == 403


def test_no_more_rows_than_a_page_can_bear(page: Client) -> None:
    start = datetime.fromisoformat("2026-02-01")
    many = [
        Listed(
            number, "long", Decimal(1), start + timedelta(hours=number), Decimal(500 + number),
            start + timedelta(hours=number, minutes=30), Decimal(600),
        )
        for number in range(10, 1010)
    ]  # fmt: skip
    response = upload(page, as_csv(rows([FIRST, *many], Form())))
    content = response.content.decode()
    assert "only the first 300 rows are shown" in text_of(response)
    assert 300 < content.count("<tr>") < 320
    page.post(f"{URL}import/", {"kept": response.context["kept"]})
    assert ImportBatch.objects.get().count == 1000


def test_times_are_in_the_users_zone(page: Client) -> None:
    page.post("/time-zone/", {"zone": "Asia/Tokyo"})
    # 14:30 UTC.
    assert "2026-01-05 23:30 123.5" in text_of(upload(page))
