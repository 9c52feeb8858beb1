"""What a message would do is told without doing it, by the rules that hold live."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.environment import BOUND_TO
from trades.models import Strategy, Trade
from wal.models import Entry
from webhooks.credentials import configured_tokens
from webhooks.models import WebhookLog
from webhooks.rehearsal import Rehearsal, rehearse

LATER = "2026-01-05T15:00:00Z"


def rehearsed(**fields: Any) -> Rehearsal:
    return rehearse(json.dumps(alert(**{"time": LATER, **fields})).encode())


@pytest.fixture(autouse=True)
def long_two(post: Poster) -> Poster:
    """Two contracts are open."""
    post(quantity="2")
    return post


@pytest.mark.parametrize(
    ("fields", "effect", "after", "closed"),
    [
        ({"action": "buy", "quantity": "0.5"}, "added", "2.5", 0),
        ({"action": "sell", "quantity": "0.5"}, "reduced", "1.5", 1),
        ({"action": "exit", "quantity": None}, "closed", "0", 1),
        ({"action": "sell", "quantity": "3"}, "reversed", "-1", 1),
        ({"symbol": "X:Y", "action": "sell"}, "opened", "-1", 0),
        ({"strategy": "New", "action": "buy"}, "opened", "1", 0),
    ],
)
def test_it_is_what_the_alert_then_does(
    long_two: Poster, fields: dict[str, Any], effect: str, after: str, closed: int
) -> None:
    told = rehearsed(**fields)
    assert told.netting is not None and told.fault is None
    assert (told.netting.effect, told.netting.after) == (effect, Decimal(after))
    assert len(told.netting.closings) == closed
    answer = long_two(time=LATER, **fields)
    assert answer["action"] == effect
    assert WebhookLog.objects.latest("id").position_after == Decimal(after)


def test_nothing_is_written() -> None:
    def rows() -> list[int]:
        return [table.objects.count() for table in (Entry, WebhookLog, Lot, Trade, Strategy)]

    before = rows()
    rehearsed(strategy="New", action="sell")
    rehearsed(action="exit")
    assert rows() == before


def test_what_would_keep_it_from_having_an_effect_is_told() -> None:
    unheld = rehearsed(symbol="X:Y", action="exit")
    assert unheld.fault is not None and unheld.fault.code == "NO_OPEN_POSITION"
    Strategy.objects.update(enabled=False)
    disabled = rehearsed(action="exit")
    assert disabled.fault is not None and disabled.fault.code == "STRATEGY_DISABLED"
    assert disabled.signal is not None


def test_a_token_that_may_not_speak_for_it_is_told() -> None:
    bound = next(token for token in configured_tokens() if token.strategies)
    message = json.dumps(alert(strategy="Beta")).encode()
    refused = rehearse(message, bound)
    assert refused.fault is not None and refused.fault.code == "STRATEGY_NOT_ALLOWED"
    assert rehearse(message.replace(b"Beta", BOUND_TO.encode()), bound).fault is None


def test_faults_are_told_by_field() -> None:
    told = rehearsed(price="dear", quantity="-1")
    assert told.signal is None
    assert told.fault is not None and set(told.fault.fields) == {"price", "quantity"}
    assert list(told.told()) == []
    unreadable = rehearse(b'{"price": {{close}}}')
    assert unreadable.fault is not None and unreadable.fault.code == "INVALID_JSON"


def test_the_same_alert_before_is_told(long_two: Poster) -> None:
    before = WebhookLog.objects.get()
    assert rehearsed(time="2026-01-05T14:30:00Z", quantity="2").same == before
    assert rehearsed(quantity="2").same is None
    # Without a time only what came lately is the same.
    untimed = long_two(time=None, symbol="X:Y")["webhook_log_id"]
    same = rehearsed(time=None, symbol="X:Y").same
    assert same is not None and same.pk == untimed


def test_drift_is_told() -> None:
    assert not rehearsed(prev_market_position="long", prev_market_position_size="2").drifts
    assert rehearsed(prev_market_position="flat").drifts
    assert rehearsed(market_position="long", market_position_size="9").drifts


def test_every_field_that_was_read_is_shown() -> None:
    told = dict(
        rehearsed(
            quantity="1.50",
            market_position="long",
            market_position_size="3.5",
            prev_market_position="flat",
            comment="Breakout",
            stop_loss="95",
            is_test=True,
            colour="green",
            token="a-token-of-somebody-else",
        ).told()
    )
    assert told == {
        "strategy": "Alpha",
        "symbol": "BINANCE:BTCUSDT",
        "intent": "order",
        "direction": "long",
        "quantity": "1.5",
        "price": "100",
        "order's time": "2026-01-05 15:00:00 UTC",
        "TradingView's position before": "flat",
        "TradingView's position after": "long 3.5",
        "comment": "Breakout",
        "stop loss": "95",
        "test": "yes",
        "other fields, kept": "colour: green",
    }
