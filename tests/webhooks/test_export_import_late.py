"""Alerts that come after their trade was imported make it once more, and that is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.alerts import Poster
from tests.webhooks.exported_trades import FIRST, SECOND, export_of, listed, post_trade
from trades.imports import undo
from trades.models import ImportBatch, Strategy, Trade
from webhooks.export_comparison import Choice
from webhooks.export_import import import_missing
from webhooks.reconcile import find, mend
from webhooks.replay import Choice as Replay
from webhooks.replay import replay

ALPHA = Choice("Alpha", "BINANCE:BTCUSDT", "UTC")


def told(action: str, at: str, **changes: Any) -> dict[str, Any]:
    price = "123.5" if action == "buy" else "110"
    return {"action": action, "price": price, "time": None, "timenow": at, **changes}


#: What the alerts told that came late, and how many trades the list makes of them.
LATE = {
    "a second off": [
        told("buy", "2026-01-05T14:30:01Z"),
        told("sell", "2026-01-05T15:00:02Z"),
    ],
    "within the bar": [
        told("buy", "2026-01-05T14:47:20Z"),
        told("sell", "2026-01-05T15:29:59Z"),
    ],
    "more digits": [
        told("buy", "2026-01-05T14:30:00Z", price="123.500001"),
        told("sell", "2026-01-05T15:00:00Z"),
    ],
    "two lots": [
        told("buy", "2026-01-05T14:30:00Z", order_id="a"),
        told("buy", "2026-01-05T14:30:00Z", order_id="b"),
        told("sell", "2026-01-05T15:00:00Z", quantity="2"),
    ],
}


@pytest.mark.parametrize("way", LATE)
def test_late_alerts(first: Poster, way: str) -> None:
    Strategy.objects.update(enabled=False)
    for alert in LATE[way]:
        assert first(**alert).code == "STRATEGY_DISABLED"
    rows = [SECOND, replace(SECOND, number=3)] if way == "two lots" else [SECOND]
    batch = import_missing(export_of(FIRST, *rows), ALPHA, None)[1]
    assert batch is not None and find() == []
    imported = batch.trades.get()
    Strategy.objects.update(enabled=True)
    for replayed in replay(Replay(failed=True)):
        assert replayed.outcome is not None and replayed.outcome.log.status == "processed"
    late = list(Trade.objects.filter(pk__gt=imported.pk).order_by("pk"))
    assert len(late) == len(rows)
    (finding,) = find()
    assert finding.kind == "duplicate_trade" and not finding.mendable
    assert finding.trades == (imported.pk, *(trade.pk for trade in late))
    assert f"of import {batch.pk} is trade {', '.join(str(one.pk) for one in late)} once" in (
        finding.sentence
    )
    assert mend() == ([], [finding])
    undo(batch.pk, None)
    assert find() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal(2)},
        {"entry_price": Decimal("123.6")},
        {"exit_price": Decimal("110.2")},
        {"entry_time": SECOND.entry_time - timedelta(minutes=1)},
        {"entry_time": SECOND.entry_time + timedelta(minutes=30)},
        {"exit_time": SECOND.exit_time + timedelta(minutes=30)},
        {"direction": "short"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_trade(first: Poster, changes: dict[str, Any]) -> None:
    assert import_missing(export_of(FIRST, SECOND), ALPHA, None)[1] is not None
    post_trade(first, replace(SECOND, **changes))
    assert find() == []


def test_one_of_several_bars_in_a_row(first: Poster) -> None:
    """Bought at 100 and sold at 110 in each: the list tells both, and alerts only one."""
    here, missing = listed(2, "11:00", "12:00"), listed(3, "11:30", "12:30")
    post_trade(first, here)
    batch = import_missing(export_of(FIRST, here, missing), ALPHA, None)[1]
    assert batch is not None and batch.bar == timedelta(minutes=30)
    assert find() == []
    assert ImportBatch.objects.count() == 1


def test_other_strategies(first: Poster) -> None:
    assert import_missing(export_of(FIRST, SECOND), ALPHA, None)[1] is not None
    post_trade(first, SECOND, strategy="Beta")
    assert find() == []
    post_trade(first, SECOND)
    assert len(find("Alpha")) == 1
    assert find("Beta") == []
