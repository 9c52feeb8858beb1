"""Alerts that had their effect before: they are told what that was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from positions.models import Lot
from tests.alerts import alert
from tests.factories import EntryFactory
from tests.plans import questions
from trades.models import Trade
from webhooks.applying import apply
from webhooks.models import LogStatus
from webhooks.outcome import Outcome
from webhooks.reading import read
from webhooks.wanted import Wanted

pytestmark = pytest.mark.usefixtures("databases")

NOW = datetime.now(UTC).isoformat()
BUY = alert(action="buy", quantity="1", order_id="entry", time=NOW)
EXIT = alert(action="exit", quantity="1", order_id="exit", time=NOW)


def given_their_effects(*bodies: dict[str, Any]) -> list[Outcome]:
    """Each as a delivery of its own, together."""
    entries = [EntryFactory(body=json.dumps(body, default=str).encode()) for body in bodies]
    outcomes = apply([Wanted(entry, read(entry)) for entry in entries])
    return [outcome for outcome in outcomes if outcome is not None]


def test_many_are_looked_up_as_few_are() -> None:
    orders = [alert(strategy=f"S{n}", quantity="1", order_id="entry", time=NOW) for n in range(12)]
    first = [outcome.ids() for outcome in given_their_effects(*orders)]
    with questions() as for_few:
        given_their_effects(*orders[:2])
    with questions() as for_many:
        again = given_their_effects(*orders)
    assert [outcome.ids() for outcome in again] == first
    assert all(outcome.is_duplicate for outcome in again)
    assert len(for_many) == len(for_few)


def test_one_that_reversed_tells_its_lot_and_its_trades() -> None:
    orders = [{**BUY, "order_id": "1"}, {**BUY, "order_id": "2"}, {**BUY, "order_id": "3"}]
    for order in orders:
        given_their_effects(order)
    reversal = alert(action="sell", quantity="4", order_id="reversal", time=NOW)
    [reversed_] = given_their_effects(reversal)
    given_their_effects(alert(action="buy", quantity="1", order_id="cover", time=NOW))
    [again] = given_their_effects(reversal)
    assert again.is_duplicate
    assert again.ids() == reversed_.ids()
    assert again.position_id == Lot.objects.get(direction="short").pk
    longs = Trade.objects.filter(direction="long").order_by("id")
    assert again.trade_ids == tuple(longs.values_list("id", flat=True))


def test_an_exit_that_was_let_through_between_two_repetitions() -> None:
    [parked] = given_their_effects(EXIT)
    assert parked.log.status == LogStatus.PARKED
    waits, entered, left = given_their_effects(EXIT, BUY, EXIT)
    assert (waits.log.status, waits.trade_ids) == (LogStatus.PARKED, ())
    assert left.log.status == LogStatus.PROCESSED
    assert left.trade_ids == (Trade.objects.get().pk,)
    assert left.position_id == entered.position_id
