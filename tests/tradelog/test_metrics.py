"""What /metrics tells, who may read it, and what it asks of the databases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

import deadline
from tests.alerts import Poster
from tests.environment import TOKEN
from tests.factories import EntryFactory, LotFactory, StrategyFactory
from tests.measured import Measured
from tradelog import measured_state
from tradelog.metrics import breaker_states
from wal.models import Entry
from webhooks.main_database import breaker, transact
from webhooks.models import WebhookLog
from webhooks.replay import Choice, replay

METRICS_TOKEN = "prometheus-0123456789abcdef"


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scrape asks anew."""
    monkeypatch.setattr(measured_state, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(measured_state, "_REST", 0)
    for question in measured_state._QUESTIONS.values():
        question._asked_again_at = float("-inf")


def scrape(**headers: str) -> Measured:
    response = Client().get("/metrics", headers=headers)
    assert response.status_code == 200, response.content
    return Measured(response.text)


class Since:
    """How far the counters have come since this was made: they are the whole test run's."""

    def __init__(self) -> None:
        self._then = scrape()

    def __call__(self, name: str, **labels: str) -> float:
        return scrape()(name, **labels) - self._then(name, **labels)


@pytest.fixture
def since(databases: None) -> Since:
    return Since()


def test_requests_by_answer(since: Since, post: Poster) -> None:
    post()
    post()
    post("no JSON")
    post(path="/webhook/wrong/")
    post.client.post("/webhook/a/b/c/")
    assert [
        since("tradelog_requests_total", http_status=http, status=status, code=code)
        for http, status, code in [
            ("200", "processed", ""),
            ("200", "duplicate", "DUPLICATE"),
            ("400", "rejected", "INVALID_JSON"),
            ("401", "rejected", "INVALID_TOKEN"),
            ("404", "rejected", "NOT_FOUND"),
        ]
    ] == [1] * 5
    assert since("tradelog_requests_total") == 5
    # The alert and its copy, and what was no JSON: the others went no further than the door.
    assert since("tradelog_answer_seconds_count") == 4
    for step in ("append", "parse", "apply", "settle"):
        assert since("tradelog_processing_seconds_count", step=step) == 3
        assert since("tradelog_processing_seconds_sum", step=step) > 0
    for database, operation in [("main", "apply"), ("log", "append"), ("log", "mark")]:
        told = {"database": database, "operation": operation}
        assert since("tradelog_database_operation_seconds_count", **told) == 3


def test_what_befell_alerts(since: Since, post: Poster) -> None:
    post(action="exit", symbol="LATE", time=None, pnl="7")
    assert since("tradelog_parked_total") == 1
    assert scrape()("tradelog_backlog_entries", state="parked") == 1
    post(symbol="LATE", time=None)
    assert since("tradelog_pnl_discrepancies_total") == 1, "of the exit that was let through"
    assert scrape()("tradelog_backlog_entries", state="parked") == 0
    post()
    post()
    assert since("tradelog_duplicates_total") == 1
    post(action="exit", price="110", time="2026-01-05T15:00:00Z", pnl="11")
    assert since("tradelog_pnl_discrepancies_total") == 2
    post(time="2026-01-05T16:00:00Z", prev_market_position="long", prev_market_position_size="3")
    for price in ("100", "99"):
        post(symbol="KEPT", idempotency_key="k", price=price)
    assert since("tradelog_drift_total") == since("tradelog_keys_reused_total") == 1


def test_nothing_counts_again_when_it_is_replayed(post: Poster) -> None:
    answer = post(prev_market_position="short", prev_market_position_size="3")
    assert answer["drift"]
    since = Since()
    Entry.objects.filter(pk=answer["wal_id"]).update(status="pending")
    assert [replayed.outcome is not None for replayed in replay(Choice())] == [True]
    assert since("tradelog_processing_seconds_count", step="settle") == 1
    assert since("tradelog_drift_total") == since("tradelog_duplicates_total") == 0


def test_only_alerts_with_a_token_are_missed_by_rate(
    since: Since, post: Poster, settings: Settings, one_window: None
) -> None:
    settings.WEBHOOK_RATE = settings.WEBHOOK_TOKEN_RATE = "1/h"
    for number in range(3):
        post(order_id=str(number))
        post(path="/webhook/wrong/")
    assert since("tradelog_rate_limited_alerts_total") == 2
    assert since("tradelog_requests_total", code="RATE_LIMITED", http_status="503") == 2
    assert since("tradelog_requests_total", code="RATE_LIMITED", http_status="429") == 2


def test_retries_and_the_breaker(since: Since) -> None:
    @transaction.atomic
    def fail() -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")

    def hang() -> None:
        raise OperationalError from deadline.Unheard()

    tries: Iterator[Callable[[], object]] = iter([fail, fail, lambda: None])
    transact(lambda: next(tries)())
    assert since("tradelog_retries_total") == 2
    assert since("tradelog_database_operation_seconds_count", database="main") == 3
    try:
        for _ in range(5):
            with pytest.raises(OperationalError):
                transact(hang)
        states = scrape().of_each("tradelog_breaker_workers", "state")
        assert states == {"closed": 0, "half_open": 0, "open": 1}
    finally:
        breaker.reset()
    assert scrape()("tradelog_breaker_workers", state="closed") == 1


def test_a_breaker_is_half_open_once_its_time_is_over() -> None:
    now = time.time()
    told = breaker_states([0, now - 5, now + 5, 0])
    assert {each.labels["state"]: each.value for each in told.samples} == {
        "closed": 2, "half_open": 1, "open": 1,
    }  # fmt: skip


def test_the_backlog_and_how_old_it_is(databases: None) -> None:
    now = datetime.now(UTC)
    EntryFactory(received_at=now - timedelta(minutes=2))
    EntryFactory(received_at=now - timedelta(minutes=1))
    EntryFactory(received_at=now - timedelta(minutes=9), status="completed")
    measured = scrape()
    assert measured.of_each("tradelog_backlog_entries", "state") == {
        "pending": 2, "processing": 0, "parked": 0,
    }  # fmt: skip
    ages = measured.of_each("tradelog_backlog_oldest_age_seconds", "state")
    assert 120 <= ages["pending"] < 150
    assert (ages["processing"], ages["parked"]) == (0, 0)


def test_the_last_alert_of_each_strategy(post: Poster) -> None:
    post(symbol="ZZZ")
    last = post(symbol="AAA")
    post(symbol="ZZZ", is_test=True, order_id="a test")
    post(strategy='B "quoted" \\ back')
    log = WebhookLog.objects.get(pk=last["webhook_log_id"])
    told = scrape().of_each("tradelog_last_alert_timestamp_seconds", "strategy")
    assert set(told) == {"Alpha", 'B "quoted" \\ back'}
    assert told["Alpha"] == pytest.approx(log.received_at.timestamp(), abs=1e-3)


def test_no_more_strategies_than_the_setting_says(databases: None, settings: Settings) -> None:
    settings.METRICS_STRATEGIES = 2
    StrategyFactory(name="disabled", enabled=False)
    for name in ("first", "second", "third", "disabled"):
        strategy = StrategyFactory(name=name)
        LotFactory.create_batch(2, strategy=strategy, entry_webhook_log__strategy=name)
    StrategyFactory(name="without any")
    measured = scrape()
    assert measured.of_each("tradelog_open_lots", "strategy") == {
        "first": 2, "second": 2, "other": 4,
    }  # fmt: skip
    assert set(measured.of_each("tradelog_last_alert_timestamp_seconds", "strategy")) == {
        "first", "second",
    }  # fmt: skip


def test_messages_make_no_series(since: Since, post: Poster) -> None:
    def series() -> int:
        return sum(len(family.samples) for family in scrape().families)

    post()
    before = series()
    for number in range(5):
        post(strategy=["nobody's"], symbol=f"S{number}", action=f"dance {number}")
        post(path=f"/webhook/wrong-{number}/", symbol=f"S{number}", order_id=f"o{number}")
        post(symbol=f"S{number}", order_id=f"o{number}", comment=f"c{number}")
    assert series() == before


def test_no_token_is_told(post: Poster, settings: Settings) -> None:
    settings.METRICS_TOKEN = METRICS_TOKEN
    post(token=TOKEN, comment=TOKEN)
    post(f"rubbish with {TOKEN}")
    post(path="/webhook/yesterdays-token-0123456789/")
    text = scrape(Authorization=f"Bearer {METRICS_TOKEN}").text
    for secret in (TOKEN, METRICS_TOKEN, "yesterdays-token"):
        assert secret not in text


def test_the_databases_are_asked_once_in_a_moment(
    databases: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_state, "KEPT_SECONDS", 60.0)
    with (
        CaptureQueriesContext(connections["default"]) as main,
        CaptureQueriesContext(connections["wal"]) as log,
    ):
        scrape()
        asked = len(main), len(log)
        for _ in range(5):
            scrape()
        assert (len(main), len(log)) == asked
    for question in measured_state._QUESTIONS.values():
        question._asked_again_at = float("-inf")


@pytest.mark.parametrize(
    ("token", "allowed", "asking", "status"),
    [
        pytest.param("", [], {}, 200, id="this machine"),
        pytest.param("", [], {"REMOTE_ADDR": "::1"}, 200, id="this machine by IPv6"),
        pytest.param("", [], {"REMOTE_ADDR": "203.0.113.7"}, 403, id="another machine"),
        pytest.param("", [], {"REMOTE_ADDR": ""}, 403, id="from nowhere"),
        pytest.param(
            "", [], {"HTTP_X_FORWARDED_FOR": "203.0.113.7"}, 403, id="by a proxy nobody told of"
        ),
        pytest.param(
            "", [], {"HTTP_FORWARDED": "for=203.0.113.7"}, 403, id="by another kind of proxy"
        ),
        pytest.param(
            "", ["10.0.0.0/8"],
            {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "10.1.1.1"},
            200, id="by a trusted proxy",
        ),
        pytest.param(
            "", ["10.0.0.0/8"],
            {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "10.1.1.1, 203.0.113.7"},
            403, id="forged before a trusted proxy",
        ),
        pytest.param("", ["10.0.0.0/8"], {}, 403, id="a list without this machine"),
        pytest.param("right", [], {"HTTP_AUTHORIZATION": "Bearer right"}, 200, id="the token"),
        pytest.param(
            "right", [],
            {"REMOTE_ADDR": "203.0.113.7", "HTTP_AUTHORIZATION": "Bearer right"},
            200, id="the token from anywhere",
        ),
        pytest.param("right", [], {}, 401, id="no token"),
        pytest.param("right", [], {"HTTP_AUTHORIZATION": "Bearer wrong"}, 401, id="a wrong token"),
        pytest.param("right", [], {"HTTP_AUTHORIZATION": "Bearer \udcff"}, 401, id="rubbish"),
        pytest.param("right", [], {"HTTP_AUTHORIZATION": "Basic right"}, 401, id="not as a bearer"),
        pytest.param(
            "right", ["10.0.0.0/8"], {"HTTP_AUTHORIZATION": "Bearer right"},
            403, id="the token from elsewhere",
        ),
    ],
)  # fmt: skip
def test_who_may_read_them(
    databases: None, settings: Settings, token: str, allowed: list[str], asking: Any, status: int
) -> None:
    settings.METRICS_TOKEN, settings.METRICS_ALLOWED_IPS = token, allowed
    settings.TRUSTED_PROXIES = ["192.0.2.1"]
    response = Client().get("/metrics", **asking)
    assert response.status_code == status
    assert ("tradelog_requests_total" in response.text) == (status == 200)
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


def test_they_are_only_read(databases: None) -> None:
    assert Client().post("/metrics").status_code == 405


def test_open_metrics_are_told_to_who_asks_for_them(databases: None) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    response = Client().get("/metrics", headers={"Accept": accept})
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
