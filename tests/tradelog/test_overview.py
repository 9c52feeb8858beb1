"""The Overview: its numbers, its filters, and what it says where there is little to show."""

from __future__ import annotations

import json
import re
import statistics
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from tests.alerts import Poster
from tests.environment import BOUND_TOKEN, TOKEN
from tests.factories import (
    EntryFactory,
    LotFactory,
    RefusalFactory,
    StrategyFactory,
    TradeFactory,
    WebhookLogFactory,
)
from tests.out_of_reach import without_table
from tests.tradelog.pages import DAY, NOW, WHOLE, show, text_of
from tradelog import session
from tradelog.alert_messages import ALERT_MESSAGE
from tradelog.timezones import choose
from trades.corrections import correct


@pytest.mark.parametrize("path", ["/", "/alert-builder/", "/time-zone/"])
def test_only_staff_get_in(databases: None, path: str) -> None:
    client = Client()
    assert client.get(path).headers["Location"] == f"/admin/login/?next={path}"
    client.force_login(User.objects.create_user("visitor"))
    assert client.get(path).headers["Location"] == f"/admin/login/?next={path}"
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    client.force_login(looker)
    assert client.get(path).status_code == 200


def test_the_numbers_are_those_of_the_list_of_trades(demo: Client) -> None:
    pnls = []
    of_day: dict[date, Decimal] = {}
    for trade in session.expected_trades():
        assert trade.exit_time is not None and trade.exit_price is not None
        gained = trade.exit_price - trade.entry_price
        pnls.append(gained * trade.quantity * trade.direction.sign)
        exit_day = trade.exit_time.date()
        of_day[exit_day] = of_day.get(exit_day, Decimal(0)) + pnls[-1]
    wins, losses = [pnl for pnl in pnls if pnl > 0], [-pnl for pnl in pnls if pnl < 0]
    equity = peak = fall = Decimal(0)
    for day in sorted(of_day):  # All that is closed on one bar is closed at one time.
        equity += of_day[day]
        peak = max(peak, equity)
        fall = max(fall, peak - equity)
    idle = (max(of_day) - min(of_day)).days + 1 - len(of_day)
    daily = [float(pnl) for pnl in of_day.values()] + [0.0] * idle
    sharpe = statistics.mean(daily) / statistics.stdev(daily) * 365**0.5

    page = show(demo, **WHOLE)
    shown = page.context["trades"]
    assert shown.total.net == sum(pnls) == Decimal("616334.31")
    assert (shown.total.trades, shown.total.wins) == (21, len(wins))
    assert shown.max_drawdown == fall
    assert float(shown.sharpe) == pytest.approx(sharpe, rel=1e-9)
    text = text_of(page)
    for told in (
        f"Net P&L +{sum(pnls):,.2f} after commission",
        "Trades 21 on 10 days",
        f"Win rate {100 * len(wins) / 21:.1f}% {len(wins)} won, {len(losses)} lost",
        f"Profit factor {sum(wins) / sum(losses):.2f}",
        f"Expectancy +{sum(pnls) / 21:,.2f} a trade",
        f"Average win {sum(wins) / len(wins):,.2f}",
        f"Average loss {sum(losses) / len(losses):,.2f}",
        f"Max. drawdown {fall:,.2f} from peak, by trade",
        f"Sharpe ratio {sharpe:.2f}",
        "Everything is logged: 25 alerts in the last 7 days, 0 waiting, 0 failed, 0 drifted.",
        "Nothing is open.",
    ):
        assert told in text, told
    plotted = shown.plotted()
    assert plotted["equity"][-1] == pytest.approx(616334.31)
    assert min(plotted["drawdown"]) == pytest.approx(-float(fall))


def test_the_curve_begins_before_its_first_trade(staff: Client) -> None:
    """The day begins at 15:00 UTC in Tokyo."""
    choose(User.objects.get(username="trader"), "Asia/Tokyo")
    for hour in (16, 18, 20):
        TradeFactory(exit_time=datetime(2025, 11, 2, hour, tzinfo=UTC))
    page = show(staff, **{"from": "2025-11-03", "to": "2025-11-03"}).content.decode()
    plotted = re.search(r'id="equity-data"[^>]*>(.*?)</script>', page)
    assert plotted
    times = json.loads(plotted[1])["times"]
    assert len(times) == 4
    assert times[0] < times[1] < times[2] < times[3]


def test_a_strategy_is_chosen_with_all_its_spaces(staff: Client) -> None:
    """A browser takes the spaces of an option's text for one."""
    TradeFactory(strategy=StrategyFactory(name="Double  space"))
    assert '<option value="Double  space"' in show(staff).content.decode()


def test_currencies_are_never_summed_together(staff: Client) -> None:
    for _ in range(2):
        TradeFactory(currency="USD", pnl=Decimal(100))
    TradeFactory(currency="EUR", pnl=Decimal(7))
    TradeFactory(currency="", pnl=Decimal(-3))

    page = show(staff)
    shown = page.context["trades"]
    assert (shown.results.currency, shown.total.net) == ("USD", 200)
    text = text_of(page)
    for tab in ("USD 2 trades +200.00", "EUR 1 trade +7.00", "No currency told 1 trade −3.00"):
        assert tab in text
    assert "204" not in text
    for asked, net in (("EUR", 7), ("none", -3), ("USD", 200)):
        chosen = show(staff, currency=asked).context["trades"]
        assert chosen.total.net == net
        assert sum(group.tally.net for group in chosen.results.strategies) == net
    # Looking closer stays with the currency that is looked at.
    euros = show(staff, currency="EUR").content.decode()
    assert "currency=EUR&amp;" in euros or "&amp;currency=EUR" in euros


def test_a_correction_counts(staff: Client) -> None:
    trade = TradeFactory(pnl=Decimal(1))
    user = User.objects.get(username="trader")
    correct(trade, user=user, reason="filled at 140", exit_price=Decimal(140))
    assert "Net P&L, USD +40.00" in text_of(show(staff))


def test_what_was_corrected_needs_no_look_any_more(staff: Client) -> None:
    trade = TradeFactory(pnl_discrepancy=Decimal(2))
    told = "1 trade shown here has another P&L than the alert reported"
    assert told in text_of(show(staff))
    user = User.objects.get(username="trader")
    correct(trade, user=user, reason="filled at 140", exit_price=Decimal(140))
    page = show(staff)
    assert page.context["trades"].discrepancies == 0
    assert told not in text_of(page)


def test_a_new_log_says_what_to_do(staff: Client) -> None:
    page = show(staff)
    text = text_of(page)
    assert "No alert has come yet" in text
    assert "https://testserver/webhook/••••••••/" in text
    assert "“tradingview”, “bound”" in text
    html = page.content.decode()
    assert ALERT_MESSAGE.replace('"', "&quot;") in html
    assert TOKEN not in html and BOUND_TOKEN not in html
    assert show(staff, strategy="Alpha").status_code == 400


def test_alerts_without_trades(staff: Client, post: Poster) -> None:
    post()
    page = show(staff)
    text = text_of(page)
    assert "Nothing has been closed yet" in text and "alert builder" in text
    assert "Alpha BINANCE:BTCUSDT long 1 100.00 1" in text  # The open position.
    assert "1 alert in the last 7 days" in text
    # A symbol that is only held so far can be asked for too.
    assert show(staff, symbol="BINANCE:BTCUSDT").status_code == 200


def test_faults_are_shown_and_lead_to_their_alerts(staff: Client, post: Poster) -> None:
    post()
    rejected = post("no json")["webhook_log_id"]
    drifted = post(
        time="2026-01-05T14:31:00Z",
        prev_market_position="flat",
        prev_market_position_size="0",
        market_position="long",
        market_position_size="1",
    )["webhook_log_id"]
    page = show(staff)
    assert [fault.pk for fault in page.context["alerts"].faults] == [drifted, rejected]
    text = text_of(page)
    assert "2 things need a look." in text
    assert "1 alert rejected" in text and "1 alert drifted" in text
    assert "TradingView: flat → long 1; logged: 1 → 2" in text
    for alert in (rejected, drifted):
        assert f'href="/admin/webhooks/webhooklog/{alert}/change/"' in page.content.decode()


def test_old_alerts_are_past(staff: Client) -> None:
    WebhookLogFactory(received_at=NOW - 8 * DAY)
    assert "No alert came in the last 7 days" in text_of(show(staff))
    assert show(staff, alerts="30").context["alerts"].traffic.rejected == 1
    assert show(staff, alerts="1").context["alerts"].traffic.alerts == 0


def test_a_strategy_whose_alerts_are_rejected_is_not_well(staff: Client, post: Poster) -> None:
    post(strategy="Alpha")
    post(strategy="Beta")
    assert "Everything is logged" in text_of(show(staff, strategy="Alpha"))
    post(strategy="Alpha", price="-1")
    text = text_of(show(staff, strategy="Alpha"))
    assert "Everything is logged" not in text and "1 alert rejected" in text
    assert "Everything is logged" in text_of(show(staff, strategy="Beta"))


def test_the_log_is_shown_by_state(staff: Client) -> None:
    WebhookLogFactory(status="processed")
    # From now on, since NOW is when the test run began.
    EntryFactory.create_batch(2, received_at=datetime.now(UTC) - timedelta(minutes=5))
    EntryFactory(status="duplicate")
    # Of alerts that failed and of those that were rejected alike.
    EntryFactory.create_batch(3, status="failed")
    RefusalFactory()
    text = text_of(show(staff))
    assert "backlog" not in text, "what is settled stands there too"
    assert "failed or rejected 3 in these days" in text
    assert re.search(r"pending 2 \d{4}-\d\d-\d\d", text)
    assert "processing 0 –" in text and "duplicate 1 in these days" in text
    assert "refused by rate 1" in text
    assert "2 alerts wait, the oldest since 5 min" in text


def test_alerts_may_wait_as_long_as_no_alarm_fires(staff: Client, settings: Settings) -> None:
    WebhookLogFactory(status="processed")
    EntryFactory(received_at=datetime.now(UTC) - timedelta(minutes=5))
    settings.ALERT_WAITING_SECONDS = 600
    assert "1 waiting, 0 failed" in text_of(show(staff))


def test_without_the_log_everything_else_is_shown(demo: Client) -> None:
    with without_table("wal", "webhook_wal"):
        page = show(demo, **WHOLE)
    text = text_of(page)
    assert page.status_code == 200
    assert "The write-ahead log cannot be read" in text
    assert "The write-ahead log's database is out of reach" in text
    assert "+616,334.31" in text and "Everything is logged" not in text


def test_the_number_of_queries_does_not_grow(staff: Client) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            show(staff)
        return len(queries)

    def fill(names: list[str]) -> None:
        for name in names:
            strategy = StrategyFactory(name=name)
            TradeFactory(strategy=strategy, symbol=f"S:{name}")
            LotFactory(strategy=strategy, symbol=f"S:{name}")
            WebhookLogFactory()

    fill(["a"])
    few = asked()
    fill(["b", "c", "d", "e", "f"])
    assert asked() == few
