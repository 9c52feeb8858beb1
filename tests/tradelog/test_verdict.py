"""What the Overview says first: plain words, and only what is so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from tradelog.verdict import Listed, Severity, Verdict, verdict
from wal.backlog import Backlog, Waiting
from wal.models import EntryStatus
from watch.models import Alarm
from webhooks.traffic import Asked, Hour, Traffic

NOW = datetime(2026, 3, 12, 15, tzinfo=UTC)
WEEK = Asked(NOW - timedelta(days=7), NOW)


def log(*waiting: tuple[EntryStatus, int, int], doubtful: int = 0, refused: int = 0) -> Backlog:
    """A backlog of states, their number, and the age of the oldest in seconds."""
    return Backlog(
        tuple(
            Waiting(status, number, NOW - timedelta(seconds=age)) for status, number, age in waiting
        ),
        failed=0,
        duplicates=doubtful + 1,
        doubtful=doubtful,
        refused=refused,
    )


NOTHING_WAITS = log()


def judge(
    alerts: int = 0,
    *,
    failed: int = 0,
    rejected: int = 0,
    drifted: int = 0,
    via_mail: int = 0,
    backlog: Backlog | None = NOTHING_WAITS,
    discrepancies: int = 0,
    backward: int = 0,
    alarms: Sequence[Alarm] = (),
    asked: Asked = WEEK,
) -> Verdict:
    return verdict(
        traffic=Traffic((Hour(NOW, alerts, failed, rejected, drifted, via_mail),), latency=None),
        backlog=backlog,
        differing=Listed(discrepancies, "/admin/trades/trade/?discrepancy=yes"),
        backward=Listed(backward, "/admin/trades/trade/?exit_before_entry=yes"),
        alarms=alarms,
        asked=asked,
        soon=timedelta(seconds=60),
        parking=timedelta(seconds=60),
        now=NOW,
    )


def test_all_is_well() -> None:
    judged = judge(1234)
    assert judged == Verdict(
        Severity.GOOD,
        "Everything is logged: 1,234 alerts in the last 7 days, 0 waiting, 0 failed, 0 drifted",
        (),
    )
    today = Asked(NOW - timedelta(days=1), NOW)
    assert "1 alert in the last 24 hours" in judge(1, asked=today).text


def test_silence_is_no_fault() -> None:
    judged = judge(0)
    assert (judged.severity, judged.remarks) == (Severity.GOOD, ())
    assert judged.text == "No alert came in the last 7 days; nothing waits"


def test_what_is_just_being_done_is_no_fault() -> None:
    judged = judge(5, backlog=log((EntryStatus.PROCESSING, 2, 3), (EntryStatus.PARKED, 1, 100)))
    assert judged.severity is Severity.GOOD
    assert "3 waiting" in judged.text


@pytest.mark.parametrize(
    ("status", "age", "words"),
    [
        (EntryStatus.PENDING, 61, "2 alerts wait, the oldest since 1 min 1 s in the log"),
        (EntryStatus.PROCESSING, 3600, "2 alerts wait, the oldest since 1 h in the log, taken up"),
        (EntryStatus.PARKED, 121, "2 alerts wait, the oldest since 2 min 1 s for the entry"),
    ],
)
def test_what_waits_too_long_is_said(status: EntryStatus, age: int, words: str) -> None:
    judged = judge(5, backlog=log((status, 2, age)))
    assert judged.severity is Severity.TROUBLE
    assert judged.text == "1 thing needs a look"
    (remark,) = judged.remarks
    assert remark.text.startswith(words)
    assert remark.url == f"/admin/wal/entry/?status__exact={status}"


def test_every_fault_has_its_own_remark() -> None:
    kept = log(refused=5, doubtful=6)
    judged = judge(9, failed=1, rejected=2, drifted=3, discrepancies=4, backward=7, backlog=kept)
    assert judged.text == "7 things need a look"
    texts = [remark.text for remark in judged.remarks]
    assert [text.partition(":")[0].partition(";")[0] for text in texts] == [
        "6 orders have no effect",
        "Alerts were refused by rate 5 times",
        "1 alert failed",
        "2 alerts rejected",
        "3 alerts drifted",
        "4 trades shown here have another P&L than the alert reported",
        "7 trades shown here ended before they began",
    ]
    assert all(remark.url.startswith("/admin/") for remark in judged.remarks)


def test_what_only_differs_is_less_grave() -> None:
    judged = judge(9, discrepancies=1)
    assert judged.severity is Severity.ATTENTION
    assert judged.remarks[0].text == "1 trade shown here has another P&L than the alert reported"


def test_a_trade_that_ended_before_it_began_wants_a_look() -> None:
    judged = judge(9, backward=1)
    assert judged.severity is Severity.ATTENTION
    (remark,) = judged.remarks
    assert remark.text == "1 trade shown here ended before it began"
    assert remark.url == "/admin/trades/trade/?exit_before_entry=yes"


def test_what_came_by_mail_alone_is_counted_and_not_lost() -> None:
    judged = judge(9, via_mail=2)
    assert judged.severity is Severity.ATTENTION
    (remark,) = judged.remarks
    assert remark.text == "2 alerts came by mail alone: their webhooks were missed"
    since = urlencode({"received_at__gte": "2026-03-05T15:00:00+00:00"})
    assert remark.url == f"/admin/webhooks/webhooklog/?via_mail__exact=1&is_test__exact=0&{since}"


def test_what_is_watched_beside_is_said() -> None:
    alarm = Alarm(pk=7, rule="silence", strategy="Alpha", text="Alpha is silent. Look there.")
    judged = judge(9, alarms=[alarm])
    assert judged.severity is Severity.TROUBLE
    (remark,) = judged.remarks
    assert (remark.text, remark.url) == (
        "Alpha is silent. Look there",
        "/admin/watch/alarm/7/change/",
    )


def test_a_log_that_cannot_be_read_is_trouble() -> None:
    judged = judge(9, backlog=None)
    assert judged.severity is Severity.TROUBLE
    assert judged.remarks[0].text.startswith("The write-ahead log cannot be read")
