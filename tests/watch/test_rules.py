"""Each rule from quiet to firing to over, heard by a real receiver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from tests.alerts import Poster
from tests.factories import (
    EntryFactory,
    RefusalFactory,
    StrategyFactory,
    TradeFactory,
    WebhookLogFactory,
)
from tests.out_of_reach import without_table
from tests.watch.moments import NOW
from tests.watch.receiving import Receiver
from trades.corrections import correct
from trades.models import Strategy, Trade
from wal.models import Entry
from watch.models import Alarm, Rule
from watch.watching import Watch
from webhooks.models import WebhookLog

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def log(minutes_ago: float = 5, *, number: int = 1, took: float = 0.1, **fields: object) -> Any:
    """Alerts of Alpha, received so long ago."""
    received = NOW - minutes_ago * MINUTE
    return WebhookLogFactory.create_batch(
        number,
        **{
            "strategy": "Alpha",
            "status": "processed",
            "received_at": received,
            "processed_at": received + timedelta(seconds=took),
            **fields,
        },
    )


def used_again(minutes_ago: float, **fields: object) -> Entry:
    """A duplicate that was found so long ago to order something else than the first."""
    return EntryFactory(
        **{
            "status": "duplicate",
            "received_at": NOW - minutes_ago * MINUTE,
            "last_error": "It orders something else.",
            **fields,
        }
    )


def later(watch: Watch, since: timedelta) -> None:
    """Two looks: the first finds nothing, the second has found nothing for a while."""
    watch.look(NOW + since)
    watch.look(NOW + since + 3 * MINUTE)


@dataclass
class Case:
    rule: Rule
    #: What is well, just so.
    well: Callable[[], object]
    #: What makes it fire.
    wrong: Callable[[], object]
    #: What the message says.
    says: str
    #: What ends it; without it, only that time passes.
    mend: Callable[[], object] = lambda: None
    strategy: str = ""
    after: timedelta = 2 * HOUR


CASES = [
    Case(
        Rule.WAITING,
        lambda: EntryFactory(received_at=NOW - timedelta(seconds=59)),
        lambda: EntryFactory(received_at=NOW - timedelta(seconds=300)),
        "2 alerts wait in the log, the oldest since 5 min.",
        mend=lambda: Entry.objects.update(status="completed", settled_at=NOW),
        after=MINUTE,
    ),
    Case(
        Rule.BACKLOG,
        lambda: EntryFactory.create_batch(100, received_at=NOW),
        lambda: EntryFactory(received_at=NOW),
        "101 alerts wait in the log for their effect, more than 100.",
        mend=lambda: Entry.objects.update(status="completed", settled_at=NOW),
        after=MINUTE,
    ),
    Case(
        Rule.DELAY,
        lambda: log(number=39, took=10),
        lambda: log(number=5, took=75),
        "it took more than 1 min 15 s for one in twenty in the last 1 h.",
    ),
    Case(
        Rule.FAILURES,
        lambda: (log(number=9), log(status="failed")),
        lambda: log(status="rejected"),
        "2 of 11 alerts of Alpha were refused in the last 1 h: 1 failed, 1 rejected.",
        strategy="Alpha",
    ),
    Case(
        Rule.DRIFT,
        lambda: log(61, drift=True),
        lambda: log(59, drift=True),
        "1 alert of Alpha drifted in the last 1 h",
        strategy="Alpha",
    ),
    Case(
        Rule.DISCREPANCY,
        TradeFactory,
        lambda: TradeFactory(pnl_reported=Decimal(3), pnl_discrepancy=Decimal(2)),
        "1 trade of Alpha in the last 1 h has another P&L than the alert reported.",
        mend=lambda: correct(
            Trade.objects.latest("pk"),
            user=User.objects.create_user("trader"),
            reason="filled at 105",
            exit_price=Decimal(105),
        ),
        strategy="Alpha",
        after=MINUTE,
    ),
    Case(
        Rule.RATE,
        lambda: RefusalFactory(refused_at=NOW - 61 * MINUTE),
        lambda: RefusalFactory.create_batch(2, refused_at=NOW - 59 * MINUTE),
        "refused by rate 2 times in the last 1 h",
    ),
    Case(
        Rule.KEY,
        lambda: (used_again(61), used_again(59, last_error="")),
        lambda: (used_again(59), used_again(1)),
        "2 orders had no effect in the last 1 h: another order came before with the same key.",
    ),
    Case(
        Rule.SILENCE,
        lambda: (Strategy.objects.update(silence_hours=5), log(5 * 60)),
        lambda: WebhookLog.objects.update(received_at=NOW - 301 * MINUTE),
        "Alpha has sent no alert for 5 h 1 min (more than the 5 h set for it",
        mend=lambda: log(-60),
        strategy="Alpha",
        after=HOUR,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule.value)
def test_quiet_firing_over(databases: None, receiver: Receiver, case: Case) -> None:
    StrategyFactory()
    case.well()
    Trade.objects.update(created_at=NOW - MINUTE)
    Watch().look(NOW)
    assert receiver.taken() == []

    # Another process each time: what is told once is known from the tables.
    case.wrong()
    Trade.objects.update(created_at=NOW - MINUTE)
    Watch().look(NOW)
    (heard,) = receiver.taken()
    assert case.says in heard.text
    alarm = Alarm.objects.get()
    assert (alarm.rule, alarm.strategy, alarm.cleared_at) == (case.rule, case.strategy, None)
    Watch().look(NOW + timedelta(seconds=30))
    assert receiver.taken() == []

    case.mend()
    later(Watch(), case.after)
    (heard,) = receiver.taken()
    name = Rule(case.rule).label
    assert heard.title == f"tradelog: over: {name}" + (f" of {case.strategy}" * bool(case.strategy))
    alarm.refresh_from_db()
    assert alarm.cleared_at == NOW + case.after + 3 * MINUTE


def test_a_key_that_comes_again_with_another_order(
    post: Poster, watch: Watch, receiver: Receiver
) -> None:
    for answer in ("processed", "duplicate"):
        assert post(idempotency_key="mine")["status"] == answer
    watch.look(datetime.now(UTC))
    assert receiver.taken() == []
    post(idempotency_key="mine", quantity="2")
    watch.look(datetime.now(UTC))
    assert [heard.title for heard in receiver.taken()] == ["tradelog: key used again"]


def test_a_main_database_out_of_reach(watch: Watch, receiver: Receiver) -> None:
    log(status="failed")
    StrategyFactory()
    watch.look(NOW)
    assert [heard.title for heard in receiver.taken()] == ["tradelog: alerts refused of Alpha"]
    with without_table("default", "webhook_logs"):
        watch.look(NOW + MINUTE)
        (heard,) = receiver.taken()
        assert heard.title == "tradelog: main database out of reach"
        assert "Alerts are taken and wait in the log until it has them" in heard.text
        # Another process, which knows only what is written, tells it no second time; and
        # what cannot be judged without the database goes on.
        Watch().look(NOW + 3 * HOUR)
        Watch().look(NOW + 4 * HOUR)
        assert receiver.taken() == []
    later(watch, 5 * HOUR)
    (heard,) = receiver.taken()
    assert heard.title == "tradelog: over: alerts refused of Alpha and 1 more"


def test_a_log_that_cannot_be_read(watch: Watch, receiver: Receiver) -> None:
    with without_table("wal", "webhook_wal"):
        watch.look(NOW)
        (heard,) = receiver.taken()
        assert heard.title == "tradelog: write-ahead log out of reach"
    later(watch, MINUTE)
    assert [heard.title for heard in receiver.taken()] == [
        "tradelog: over: write-ahead log out of reach"
    ]


def test_without_its_tables_the_watch_goes_on_from_memory(watch: Watch, receiver: Receiver) -> None:
    RefusalFactory(refused_at=NOW)
    watch.look(NOW + MINUTE)
    assert len(receiver.taken()) == 1
    with without_table("wal", "alarms"), without_table("wal", "webhook_wal"):
        for minutes in (2, 3, 4):
            watch.look(NOW + minutes * MINUTE)
        assert [heard.title for heard in receiver.taken()] == [
            "tradelog: write-ahead log out of reach"
        ]
    later(watch, 3 * HOUR)
    assert len(receiver.taken()) == 1
    assert not Alarm.objects.filter(cleared_at=None).exists()
    assert sorted(Alarm.objects.values_list("rule", flat=True)) == ["log", "rate"]


def test_a_strategy_says_otherwise(watch: Watch, receiver: Receiver, settings: Settings) -> None:
    strategy = StrategyFactory(failure_rate=Decimal("0.5"))
    log(number=5)
    log(number=5, status="failed")
    log(drift=True, strategy="Beta", number=1)
    StrategyFactory(name="Beta", muted=True)
    StrategyFactory(name="Gone", enabled=False, silence_hours=1)
    watch.look(NOW)
    assert receiver.taken() == []
    strategy.failure_rate = Decimal("0.4")
    strategy.save()
    watch.look(NOW)
    assert [heard.title for heard in receiver.taken()] == ["tradelog: alerts refused of Alpha"]


def test_alerts_that_nobody_can_read_are_counted_too(watch: Watch, receiver: Receiver) -> None:
    log(strategy="", status="rejected")
    watch.look(NOW)
    (heard,) = receiver.taken()
    assert (
        "1 alert whose strategy cannot be read was refused in the last 1 h: 0 failed, 1 rejected."
        in heard.text
    )
