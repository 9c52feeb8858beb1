"""What alerts, lots and trades must hold together: each finding, its rows, its words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from positions.findings import Finding
from positions.models import Lot
from tests.alerts import Poster
from trades.models import Trade
from webhooks.alert_findings import alert_findings
from webhooks.models import WebhookLog

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def entered(post: Poster) -> WebhookLog:
    """2 bought at 100; 3 were sold at 110 after that, so 1 is short."""
    entry = post(quantity="2")
    post(action="sell", quantity="3", price="110", time="2026-01-05T15:00:00Z")
    assert list(alert_findings()) == []
    return WebhookLog.objects.get(pk=entry["webhook_log_id"])


@pytest.fixture
def reversed_(entered: WebhookLog) -> WebhookLog:
    return WebhookLog.objects.exclude(pk=entered.pk).get()


def found(kind: str) -> Finding:
    """The one finding of a kind; there may be others of the same damage."""
    (finding,) = (finding for finding in alert_findings() if finding.kind == kind)
    assert (finding.strategy, finding.symbol) == ("Alpha", "BINANCE:BTCUSDT")
    return finding


def test_alert_without_effect(entered: WebhookLog) -> None:
    Lot.objects.filter(status="closed").update(entry_webhook_log=entered.pk + 1)
    finding = found("alert_without_effect")
    assert finding.alerts == (entered.pk,)
    assert finding.sentence == (
        f"Alert {entered.pk} (2 BINANCE:BTCUSDT at 100) counts as processed, but no position was "
        "opened or closed by it."
    )


def test_tests_and_what_failed_have_no_effect(post: Poster) -> None:
    post(is_test=True)
    post(action="nonsense")
    post(action="exit", symbol="OTHER")
    assert list(alert_findings()) == []


@pytest.mark.parametrize(
    ("status", "quantity", "told"),
    [
        ("closed", 5, "opened by 1 and closed by 5."),
        ("open", 4, "opened by 4 and closed by 2."),
    ],
)
def test_lots_that_do_not_add_up(
    reversed_: WebhookLog, status: str, quantity: int, told: str
) -> None:
    Lot.objects.filter(status=status).update(quantity=quantity)
    finding = next(
        finding
        for finding in alert_findings()
        if finding.kind == "quantities_do_not_add_up" and finding.alerts == (reversed_.pk,)
    )
    assert finding.sentence == (
        f"Alert {reversed_.pk} traded 3 BINANCE:BTCUSDT and took the position from 2 to -1; "
        f"its lots were {told}"
    )
    assert set(finding.lots) == set(Lot.objects.values_list("pk", flat=True))


def test_what_was_closed_cannot_be_what_was_opened(reversed_: WebhookLog) -> None:
    """The sum is right, its parts are not."""
    for status, quantity in (("closed", 1), ("open", 2)):
        Lot.objects.filter(status=status).update(quantity=quantity)
    kinds = {finding.kind for finding in alert_findings() if reversed_.pk in finding.alerts}
    assert "quantities_do_not_add_up" in kinds


def test_a_position_that_did_not_move_by_what_was_traded(reversed_: WebhookLog) -> None:
    """The alert and its lots agree, and the position around it belies both."""
    Lot.objects.filter(status="closed").update(quantity=5)
    WebhookLog.objects.filter(pk=reversed_.pk).update(quantity=6)
    kinds = {finding.kind for finding in alert_findings() if reversed_.pk in finding.alerts}
    assert "quantities_do_not_add_up" in kinds


@pytest.mark.parametrize("quantity", [4, None])
def test_an_alerts_own_quantity(reversed_: WebhookLog, quantity: int | None) -> None:
    WebhookLog.objects.filter(pk=reversed_.pk).update(quantity=quantity)
    assert found("quantities_do_not_add_up").alerts == (reversed_.pk,)


def test_positions_that_do_not_follow(entered: WebhookLog, reversed_: WebhookLog) -> None:
    WebhookLog.objects.filter(pk=reversed_.pk).update(position_before=5)
    finding = found("positions_do_not_follow")
    assert finding.alerts == (entered.pk, reversed_.pk)
    assert finding.sentence == (
        f"Alert {reversed_.pk} found a position of 5 BINANCE:BTCUSDT, but the one before it had "
        "left 2."
    )


def test_open_lots_that_are_not_what_the_last_alert_left(reversed_: WebhookLog) -> None:
    Lot.objects.filter(status="open").delete()
    finding = found("positions_do_not_follow")
    assert finding.sentence == (
        "The open lots are a position of 0 BINANCE:BTCUSDT, but the last alert left -1."
    )


@pytest.mark.parametrize(
    ("change", "but"),
    [
        ({"is_test": True}, "is a test"),
        ({"status": "failed", "error_code": "STRATEGY_DISABLED"}, "was failed"),
        ({"strategy": "Beta"}, "is about BINANCE:BTCUSDT of Beta"),
        ({"symbol": "OTHER"}, "is about OTHER of Alpha"),
    ],
)
def test_lot_without_alert(entered: WebhookLog, change: dict[str, Any], but: str) -> None:
    WebhookLog.objects.filter(pk=entered.pk).update(**change)
    finding = found("lot_without_alert")
    lot = Lot.objects.get(status="closed")
    assert (finding.lots, finding.alerts) == ((lot.pk,), (entered.pk,))
    assert finding.sentence == (
        f"Lot {lot.pk} of BINANCE:BTCUSDT was opened by alert {entered.pk}, which {but}."
    )


def test_the_alert_that_closed_a_lot_counts_too(reversed_: WebhookLog) -> None:
    WebhookLog.objects.filter(pk=reversed_.pk).update(is_test=True)
    told = [one.sentence for one in alert_findings() if one.kind == "lot_without_alert"]
    assert sorted(sentence.split(" was ")[1] for sentence in told) == [
        f"closed by alert {reversed_.pk}, which is a test.",
        f"opened by alert {reversed_.pk}, which is a test.",
    ]


@pytest.mark.parametrize(
    ("change", "differs"),
    [({"entry_price": 99}, "price"), ({"entry_time": LONG_AGO}, "time")],
)
def test_lot_differs_from_its_entry(
    entered: WebhookLog, change: dict[str, Any], differs: str
) -> None:
    Lot.objects.filter(status="closed").update(**change)
    finding = found("lot_differs_from_alert")
    assert finding.alerts == (entered.pk,)
    assert finding.sentence.endswith(f"differ in {differs}.")


def test_a_turned_lot_differs_from_both_of_its_alerts(
    entered: WebhookLog, reversed_: WebhookLog
) -> None:
    Lot.objects.filter(status="closed").update(direction="short")
    differing = [one for one in alert_findings() if one.kind == "lot_differs_from_alert"]
    assert {one.alerts for one in differing} == {(entered.pk,), (reversed_.pk,)}


def test_an_untimed_order_counts_from_its_receipt(post: Poster) -> None:
    post(time=None)
    post(time=None, action="sell", price="110")
    assert list(alert_findings()) == []


@pytest.mark.parametrize(
    ("change", "differs"),
    [({"exit_price": 99}, "exit price"), ({"exit_time": LONG_AGO}, "exit time")],
)
def test_trade_differs_from_its_exit(
    reversed_: WebhookLog, change: dict[str, Any], differs: str
) -> None:
    Trade.objects.update(**change)
    finding = found("trade_differs_from_alert")
    trade = Trade.objects.get()
    assert (finding.trades, finding.alerts) == ((trade.pk,), (reversed_.pk,))
    assert finding.sentence == (
        f"Trade {trade.pk} and alert {reversed_.pk}, which closed it, differ in {differs}."
    )


def test_alert_that_points_to_no_trade(reversed_: WebhookLog) -> None:
    WebhookLog.objects.update(trade=None)
    finding = found("alert_links_to_other_trade")
    assert finding.alerts == (reversed_.pk,)
    assert finding.sentence == f"Alert {reversed_.pk} points to no trade, though it closed one."


def test_alert_that_points_to_anothers_trade(entered: WebhookLog) -> None:
    trade = Trade.objects.get()
    WebhookLog.objects.filter(pk=entered.pk).update(trade=trade)
    finding = found("alert_links_to_other_trade")
    assert (finding.alerts, finding.trades) == ((entered.pk,), (trade.pk,))
    assert finding.sentence.endswith(f"points to trade {trade.pk}, which it did not close.")


def test_one_strategy_alone(entered: WebhookLog, post: Poster) -> None:
    post(strategy="Beta")
    Lot.objects.update(quantity=7, entry_price=1, entry_time=LONG_AGO)
    Trade.objects.update(exit_price=1)
    WebhookLog.objects.update(trade=None, position_before=3)
    assert {finding.strategy for finding in alert_findings("Beta")} == {"Beta"}
    assert {finding.strategy for finding in alert_findings()} == {"Alpha", "Beta"}
