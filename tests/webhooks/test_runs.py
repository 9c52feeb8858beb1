"""Entries of one book that are applied together: as if each had been alone."""

from __future__ import annotations

import json
import math
import threading
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faults import ProcessingError, Queued
from positions.models import Lot
from positions.netting import Order
from tests.alerts import alert
from tests.factories import EntryFactory
from tests.processes import eventually
from tests.webhooks.test_laws import ALERTS, empty_tables, history
from trades.models import Strategy, Trade
from wal.line import InLine
from wal.models import Entry
from webhooks import settler as settling
from webhooks.applying import apply
from webhooks.models import LogStatus, WebhookLog
from webhooks.orders import order_of
from webhooks.outcome import Outcome
from webhooks.pipeline import hand_over, outcome_of
from webhooks.reading import read
from webhooks.replay import Choice, replay
from webhooks.signal import Signal
from webhooks.trail import verify
from webhooks.turns import MOST_OF_A_BOOK, run_of
from webhooks.waiting import Waiting
from webhooks.wanted import Wanted

BOOK = "Alpha\x1fBINANCE:BTCUSDT"

#: What `alert` rows tell of an effect, and the order of the trail.
TOLD = (
    "correlation_id", "status", "error_code", "action", "quantity", "position_before",
    "position_after", "drift", "chain", "place", "link", "trade__exit_price", "trade__quantity",
)  # fmt: skip

#: As in the laws, and what there is to one: a test, a repetition, an order of later than it came,
#: which an exit may have overtaken its entry with.
MESSAGES = st.tuples(ALERTS, st.sampled_from(["", "", "", "is_test", "again", "of later"]))


def entries_of(messages: list[tuple[dict[str, Any], str]]) -> list[Entry]:
    first = datetime.now(UTC) - timedelta(seconds=len(messages))
    entries: list[Entry] = []
    for number, (fields, kind) in enumerate(messages):
        moment = first + timedelta(seconds=number)
        ordered = moment + timedelta(hours=1) if kind == "of later" else moment
        body = alert(**fields, order_id=str(number), time=ordered.isoformat())
        if kind == "is_test":
            body["is_test"] = True
        told = json.dumps(body, default=str).encode()
        if kind == "again" and entries:
            told = bytes(entries[-1].body)
        entries.append(EntryFactory(body=told, received_at=moment))
    return entries


def given_their_effects(entries: list[Entry], together: int) -> list[Outcome]:
    """Apply entries so many at a time, those that were left out first the next time."""
    outcomes: dict[int, Outcome] = {}
    left = entries
    while left:
        now = left[:together]
        for entry, outcome in zip(now, apply([wanted(entry) for entry in now]), strict=True):
            if outcome is not None:
                outcomes[entry.pk] = outcome
        assert now[0].pk in outcomes
        left = [entry for entry in left if entry.pk not in outcomes]
    return [outcomes[entry.pk] for entry in entries]


def wanted(entry: Entry) -> Wanted:
    return Wanted(entry, read(entry))


@settings(max_examples=25)
@given(st.lists(MESSAGES, min_size=2, max_size=12), st.integers(2, 12))
def test_together_they_come_to_what_they_come_to_alone(
    databases: None, messages: list[tuple[dict[str, Any], str]], together: int
) -> None:
    Entry.objects.all().delete()
    empty_tables()
    entries = entries_of(messages)
    alone = [*map(answered, given_their_effects(entries, 1))], history(), told()
    empty_tables()
    at_once = [*map(answered, given_their_effects(entries, together))], history(), told()
    assert at_once == alone
    assert list(verify()) == []


def answered(outcome: Outcome) -> tuple[object, ...]:
    """An answer's part, without ids that are others each time."""
    lot = Lot.objects.filter(pk=outcome.position_id or 0).first()
    return (
        outcome.entry_status,
        outcome.log.action,
        lot and lot.entry_webhook_log.correlation_id,
        [trade.exit_price for trade in Trade.objects.filter(pk__in=outcome.trade_ids)],
    )


def told() -> list[tuple[Any, ...]]:
    return list(WebhookLog.objects.order_by("chain", "place").values_list(*TOLD))


def test_an_exit_that_waits_ends_its_books_turn(databases: None) -> None:
    """Its entry lets it through as ever, and the answer to it stays what it was."""
    leaving, entering = entries_of([({"action": "exit", "price": "110"}, "of later"), ({}, "")])
    parked, nothing = apply([wanted(leaving), wanted(entering)])
    assert parked is not None and parked.log.status == LogStatus.PARKED
    assert nothing is None
    [entered] = apply([wanted(entering)])
    assert entered is not None
    assert [log.pk for log in entered.released] == [parked.log.pk]
    assert Lot.objects.get().status == "closed"


class Batches:
    """What the settler applies together; the first is held until it is let go."""

    def __init__(self) -> None:
        self.applied: list[list[int]] = []
        self._let_go = threading.Event()

    def apply(self, wanted: Sequence[Wanted]) -> list[Outcome | None]:
        assert self._let_go.wait(20)
        self.applied.append([each.entry.pk for each in wanted])
        return apply(wanted)

    def let_go(self) -> None:
        self._let_go.set()


@pytest.fixture
def batches(databases: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Batches]:
    held = Batches()
    monkeypatch.setattr(settling, "apply", held.apply)
    yield held
    held.let_go()


def handed_over(entries: list[Entry]) -> list[Waiting]:
    return [hand_over(entry, patience=20) for entry in entries]


def test_no_book_waits_for_anothers_backlog(batches: Batches) -> None:
    [before] = entries_of([({"strategy": "Before"}, "")])
    many = entries_of([({}, "")] * (MOST_OF_A_BOOK + 8))
    [last] = entries_of([({"strategy": "Beta"}, "")])
    waiting = handed_over([before])
    # The settler has it in hand, and takes the others when it is through.
    eventually(lambda: waiting[0].is_in_hand)
    waiting += handed_over([*many, last])
    batches.let_go()
    assert {outcome_of(each).entry_status for each in waiting} == {"completed"}
    order = [entry.pk for entry in many]
    assert batches.applied == [
        [before.pk],
        [order[0], last.pk, *order[1:MOST_OF_A_BOOK]],
        order[MOST_OF_A_BOOK:],
    ]


def test_a_bad_entry_stops_only_those_behind_it(
    databases: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_on_it(signal: Signal, strategy: Strategy) -> Order:
        if signal.comment == "unthought-of":
            raise RuntimeError("nobody thought of it")
        return order_of(signal, strategy)

    monkeypatch.setattr("webhooks.effects.order_of", fail_on_it)
    entries = entries_of(
        [({}, ""), ({}, ""), ({"comment": "unthought-of"}, ""), ({}, ""), ({}, "")]
    )
    [other] = entries_of([({"strategy": "Beta"}, "")])
    waiting = handed_over([*entries, other])
    assert [outcome_of(each).entry_status for each in waiting[:2]] == ["completed"] * 2
    with pytest.raises(ProcessingError):
        outcome_of(waiting[2])
    for behind in waiting[3:5]:
        with pytest.raises(Queued):
            outcome_of(behind)
    assert outcome_of(waiting[5]).entry_status == "completed"
    assert WebhookLog.objects.count() == 3

    monkeypatch.undo()
    assert [replayed.entry.pk for replayed in replay(Choice())] == [
        entry.pk for entry in entries[2:]
    ]
    applied = WebhookLog.objects.filter(strategy="Alpha").order_by("id")
    assert list(applied.values_list("wal_id", flat=True)) == [entry.pk for entry in entries]


def test_none_overtakes_one_that_was_taken_back(databases: None) -> None:
    entries = entries_of([({}, "")] * 3)
    waiting = [Waiting(entry, limit=math.inf) for entry in entries]
    idle = settling.Settler()
    try:
        assert idle.abandon(waiting[1])
        assert idle._settle(waiting) is False
        assert not WebhookLog.objects.exists()
        assert idle._settle([waiting[0], waiting[2]]) is True
    finally:
        idle.stop()


def in_line(entry_id: int, held_by: str) -> InLine:
    return InLine(
        entry_id, uuid.uuid4(), BOOK, is_ours=held_by == "us", is_free=held_by == "nobody"
    )


@pytest.mark.parametrize(
    ("held_by", "brought", "expected"),
    [
        pytest.param(["us", "nobody", "us"], {1, 3}, [1, 2, 3], id="what nobody holds as well"),
        pytest.param(["us", "another", "us"], {1, 3}, [1], id="none behind another's"),
        pytest.param(["another", "us"], {2}, [], id="another comes first"),
        pytest.param(["us", "nobody"], {1}, [1], id="none after the last that was brought"),
        pytest.param(["us", "us"], {2}, [], id="ours, and in nobody's hands here"),
        pytest.param(["us", "us"], {0, 1, 2}, [], id="one that is in no line comes first"),
        pytest.param(["us", "us", "us"], {1, 2, 3, 9}, [1, 2, 3], id="or last"),
    ],
)
def test_how_far_a_run_goes(held_by: list[str], brought: set[int], expected: list[int]) -> None:
    line = [in_line(number, who) for number, who in enumerate(held_by, start=1)]
    assert [each.id for each in run_of(line, brought)] == expected
