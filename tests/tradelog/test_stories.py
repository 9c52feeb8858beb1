"""The pages that tell what became of an alert, and how a trade came about."""

from __future__ import annotations

import html
import json
import re
from decimal import Decimal as D
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.alerts import Poster
from tests.factories import EntryFactory, TradeFactory, WebhookLogFactory
from tests.out_of_reach import without_table
from trades.corrections import correct
from trades.models import ImportBatch, Trade
from wal.models import Entry
from webhooks.models import WebhookLog
from webhooks.story import read_message

SCRIPT = "<script>alert(1)</script>"


def path_of(row: Any) -> str:
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])


def markup(client: Client, row: Any) -> str:
    answer = client.get(path_of(row))
    assert answer.status_code == 200
    return str(answer.content.decode())


def text(client: Client, row: Any) -> str:
    """What a reader sees of a row's page, above all the columns of the row."""
    story = markup(client, row).split('class="story"')[1].split('class="columns"')[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", story)))


@pytest.fixture
def short(staff: Client, post: Poster) -> Trade:
    """Short 3 ES from 5012.25; 1 of them bought back at 5010, worth 50 a point."""
    staff  # noqa: B018
    order: dict[str, Any] = {"strategy": "Beta", "symbol": "CME_MINI:ES1!"}
    post(**order, action="sell", quantity="3", price="5012.25", commission="6.30")
    post(
        **order, action="buy", quantity="1", price="5010", commission="2.15",
        pnl="109.00", time="2026-01-05T15:00:00Z", prev_market_position="short",
        prev_market_position_size="4", order_id="tp",
    )  # fmt: skip
    return Trade.objects.get()


def test_a_trade_shows_its_arithmetic_line_by_line(staff: Client, short: Trade) -> None:
    told = text(staff, short)
    for line in (
        "5,012.25 entry price",
        "− 5,010 exit price = 2.25",
        "× 1 contracts = 2.25",
        "× 50 a point = 112.5",
        "− 4.25 commission = 108.25",
        "P&L +108.25",
        "109 reported",
        "− 108.25 calculated",
        "= 0.75 difference; of the whole order, up to 0.01 is taken for rounding",
        "marked with a discrepancy of 0.75",
        "held 30 min",
    ):
        assert line in told, line
    assert "not what was booked" not in told
    assert "corrected since" not in told
    Trade.objects.update(pnl=D(108))
    assert "not what was booked" in text(staff, short)


def test_a_trade_leads_to_all_that_made_it(staff: Client, short: Trade) -> None:
    page = markup(staff, short)
    entered, left = WebhookLog.objects.order_by("id")
    rest = entered.lots_entered.get(status="open")
    for row in (entered, left, short.lot, rest, short.strategy, *Entry.objects.all()):
        assert f'href="{path_of(row)}"' in page
    told = text(staff, short)
    assert f"The entry alert's other lots: Lot #{rest.pk} short 2 at 5,012.25, open" in told
    assert "Position before → after −3 → −2" in told
    assert "As TradingView sees it short 4 → not told drift" in told
    assert "the one in the lots −3 → −2: an alert was missed" in told


def test_times_tell_latency_and_delay(staff: Client, short: Trade) -> None:
    WebhookLog.objects.filter(pk=short.lot.entry_webhook_log_id).update(
        order_time="2026-01-05T14:30:00Z",
        received_at="2026-01-05T14:30:03.200Z",
        processed_at="2026-01-05T14:30:03.212Z",
    )
    told = text(staff, short)
    assert "Delay 3.2 s" in told
    assert "Receipt to effect 12.0 ms" in told
    WebhookLog.objects.update(order_time="2026-01-05T14:30:05Z")
    assert "Delay 1.8 s early" in text(staff, short)


def test_a_pruned_or_unreachable_log_is_said(staff: Client, short: Trade) -> None:
    entry = Entry.objects.order_by("id")[0]
    Entry.objects.filter(pk=entry.pk).delete()
    assert f"Log entry pruned, it was #{entry.pk}" in text(staff, short)
    alert = short.lot.exit_webhook_log
    with without_table("wal", "webhook_wal"):
        assert "the log's database is out of reach" in text(staff, short)
        told = text(staff, alert)
        assert "the log's database is out of reach" in told and "Replay" not in told
    assert "out of reach" not in text(staff, short)


def test_corrections_stand_beside_the_trade(staff: Client, short: Trade) -> None:
    user = User.objects.get()
    correct(short, user=user, reason=f"Filled\nhigher. {SCRIPT}", exit_price=D(5011))
    correct(short, user=user, reason="It never happened.", quantity=D(0), commission=D(0))
    told = text(staff, short)
    assert "+108.25 0 corrected" in told
    assert "Corrected by trader" in told and "replaced since" in told
    assert f"Filled higher. {SCRIPT}" in told
    assert "Exit price 5,010 5,011" in told
    assert "P&L +108.25 +58.25" in told
    assert "The trade never happened." in told
    # What the alert said stays, and is said to be settled.
    assert "= 0.75 difference" in told
    assert "a discrepancy of 0.75; it was corrected since, and counts as one no more" in told


def test_a_trade_that_ended_before_it_began_says_so(staff: Client, post: Poster) -> None:
    post(time="2026-01-05T15:00:00Z")
    post(action="exit", price="110", time="2026-01-05T14:30:00Z")
    trade = Trade.objects.get()
    told = text(staff, trade)
    assert "100 → 110 · ended before it began" in told and "held" not in told
    assert "came late and closed what was entered after it" in told
    assert "corrected since" not in told
    correct(trade, user=User.objects.get(), reason="It closed another.", exit_price=D(105))
    assert "It was corrected since." in text(staff, trade)
    Trade.objects.update(exit_time=trade.entry_time)
    told = text(staff, trade)
    assert "held 0 s" in told and "ended before it began" not in told
    assert "came late" not in told


def test_an_imported_trade_says_so(staff: Client) -> None:
    trade = TradeFactory(pnl_reported=D(1))
    assert "No lot belongs to this trade" in text(staff, trade)
    batch = ImportBatch.objects.create(
        file_name=f"{SCRIPT}.csv", strategy=trade.strategy, symbol="X", time_zone="UTC", count=1
    )
    Trade.objects.update(import_batch=batch)
    told = text(staff, trade)
    assert "No alert made this trade" in told and f"{SCRIPT}.csv" in told
    assert "brought in by the command line" in told
    assert "No lot belongs" not in told


def test_an_alert_says_what_became_of_it(staff: Client, short: Trade) -> None:
    entered, left = WebhookLog.objects.order_by("id")
    told = text(staff, left)
    assert "It reduced 1 CME_MINI:ES1!: the position went −3 → −2. Drift" in told
    assert f"Closed Lot #{short.lot.pk} short 1 at 5,012.25, closed" in told
    assert f"→ Trade #{short.pk} +108.25" in told
    assert "Entered" not in told
    rest = entered.lots_entered.get(status="open")
    assert f"Entered Lot #{rest.pk} short 2 at 5,012.25, open" in text(staff, entered)


def test_a_refused_alert_says_why_by_field(staff: Client, post: Poster) -> None:
    post(quantity="-1", price="{{close}}")
    told = text(staff, WebhookLog.objects.get())
    assert "INVALID_PAYLOAD" in told
    assert re.search(r"\bprice\b.*\bquantity\b|\bquantity\b.*\bprice\b", told)
    for fault in WebhookLog.objects.get().error_fields.values():
        assert fault in told
    assert re.search(r"Log entry #\d+ failed as the log calls what is rejected, too", told)


def test_a_failed_alerts_entry_failed_too(staff: Client) -> None:
    log = WebhookLogFactory(status="failed", error_code="STRATEGY_DISABLED")
    EntryFactory(status="failed", correlation_id=log.correlation_id, webhook_log_id=log.pk)
    told = text(staff, log)
    assert re.search(r"Log entry #\d+ failed", told) and "rejected" not in told


def test_parked_and_tests_are_explained(staff: Client, post: Poster) -> None:
    post(action="exit", quantity=None)
    parked = WebhookLog.objects.get()
    assert "An exit that waits for its entry" in text(staff, parked)
    post(strategy="Other", is_test=True)
    assert "moved no position and made no trade" in text(
        staff, WebhookLog.objects.get(is_test=True)
    )


@pytest.mark.parametrize(
    ("message", "pretty"),
    [
        (
            '{"a":1.50,"b":[1e-7,"1.50"]}',
            '{\n  "a": 1.50,\n  "b": [\n    1e-7,\n    "1.50"\n  ]\n}',
        ),
        ('{"a":12345678901234567890.10,"é":"\\u00e9 \\" x"}', None),
        ('{"a":1,"a":2}', ""),
        ('{"a":"\\ud800"}', ""),
        ("{not json", ""),
        ("", ""),
        ("[" * 100_000, ""),
    ],
)
def test_a_message_is_indented_and_not_changed(message: str, pretty: str | None) -> None:
    told = read_message(message)
    assert told.raw == message
    if pretty is not None:
        assert told.pretty == pretty
        return
    assert '"a": 12345678901234567890.10,' in told.pretty
    assert json.loads(told.pretty, parse_float=D) == json.loads(message, parse_float=D)


def test_nothing_in_an_alert_is_markup(staff: Client, post: Poster) -> None:
    fields: dict[str, Any] = dict.fromkeys(
        ("strategy", "symbol", "order_id", "comment", "custom"), SCRIPT
    )
    post(**fields)
    post(**fields, action="exit", price="110", time="2026-01-05T15:00:00Z")
    post(**fields, action=SCRIPT, price=SCRIPT, time=SCRIPT)
    post(f"{SCRIPT} is no JSON")
    WebhookLogFactory(
        error_message=SCRIPT, error_fields={SCRIPT: SCRIPT}, token_name=SCRIPT,
        tradingview_before=SCRIPT, status="failed", error_code=SCRIPT, payload=SCRIPT,
    )  # fmt: skip
    Entry.objects.update(last_error=SCRIPT, claimed_by=SCRIPT)
    correct(Trade.objects.get(), user=User.objects.get(), reason=SCRIPT, quantity=D(2))
    assert Trade.objects.get().symbol == SCRIPT
    waiting, seen = {"/admin/", "/"}, set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = staff.get(path)
        if not answer.headers.get("Content-Type", "").startswith("text/html"):
            continue
        page = answer.content.decode()
        assert SCRIPT not in page, path
        links = re.findall(r'href="(/[^"]*)"', page) if path.count("/") < 6 else []
        waiting |= {
            html.unescape(link).split("#")[0]
            for link in links
            if not re.search(r"/(static|logout|export)|[?&](o|exit_time__|received_at__)", link)
        } - seen
    assert len([path for path in seen if path.endswith("/change/")]) > 8


def replay(client: Client, entry: Entry) -> Any:
    return client.post(reverse("admin:wal_entry_replay", args=[entry.pk]), follow=True)


def test_an_alert_is_replayed_from_its_page(staff: Client, post: Poster) -> None:
    post(action="exit", quantity=None)
    alert, entry = WebhookLog.objects.get(), Entry.objects.get()
    assert reverse("admin:wal_entry_replay", args=[entry.pk]) in markup(staff, alert)
    then = "2026-01-01T00:00:00Z"
    WebhookLog.objects.update(received_at=then, processed_at=then)
    Entry.objects.update(received_at=then, settled_at=then)
    answer = replay(staff, entry)
    assert answer.redirect_chain == [(path_of(alert), 302)]
    assert f"Entry {entry.pk}: " in answer.content.decode()
    alert.refresh_from_db()
    assert alert.status == "failed"


def test_what_has_no_id_is_not_replayed(staff: Client) -> None:
    answer = staff.post("/admin/wal/entry/abc/replay/", follow=True)
    assert answer.redirect_chain[-1] == ("/admin/", 302)


def test_only_who_may_replay_is_offered_it(staff: Client, post: Poster) -> None:
    post()
    alert, entry = WebhookLog.objects.get(), Entry.objects.get()
    assert staff.get(reverse("admin:wal_entry_replay", args=[entry.pk])).status_code == 405
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    staff.force_login(looker)
    assert "Replay" not in text(staff, alert)
    assert replay(staff, entry).status_code == 403
    assert replay(Client(), entry).redirect_chain[0][0].startswith("/admin/login/")
