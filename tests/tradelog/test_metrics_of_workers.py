"""Metrics of a real server: the workers' together, whoever dies, and with no database."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
from django.conf import settings
from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from tests.environment import TOKEN
from tests.measured import Measured
from tests.server import Server
from tests.webhooks.test_database_down import NOWHERE

FOLDER = Path(settings.TRADELOG_DATA) / "metrics"


def scrape(server: Server, **headers: str) -> Measured:
    page = server.page("/metrics", headers=headers)
    assert page.status == 200, page.text
    return Measured(page.text)


def eventually(condition: Callable[[], bool], server: Server) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit, server.output
        time.sleep(0.02)


def workers() -> dict[str, int]:
    """By place: the process that counts there."""
    return {path.stem: int(path.read_text() or 0) for path in FOLDER.glob("*.process")}


def processed_by(place: str) -> float:
    """How many alerts this place of the folder has as processed, by its own file."""
    file = str(FOLDER / f"counter_{place}.db")
    metrics: list[Metric] = MultiProcessCollector.merge([file])  # type: ignore[no-untyped-call]
    return sum(
        float(sample.value)
        for metric in metrics
        for sample in metric.samples
        if metric.name == "tradelog_requests" and sample.labels["status"] == "processed"
    )


def _was_replaced(place: str, old: int) -> bool:
    return workers()[place] != old


def post_many(server: Server, first: int, last: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda number: server.post(symbol=f"S{number}", order_id=str(number)),
                range(first, last),
            )
        )
    assert {answer.http for answer in answers} == {200}, answers


def test_they_are_of_all_workers_and_outlive_each(databases: None) -> None:
    with Server(WORKERS="2", ANSWER_SECONDS="20") as server:
        eventually(lambda: len(workers()) == 2, server)
        post_many(server, 0, 60)
        assert min(map(processed_by, ("0", "1"))) > 0, "both have taken part"
        posted = 60
        for place in ("0", "1"):
            old = workers()[place]
            psutil.Process(old).kill()
            post_many(server, posted, posted + 20)
            posted += 20
            eventually(partial(_was_replaced, place, old), server)
            post_many(server, posted, posted + 20)
            posted += 20
            for _ in range(4):  # Whoever of them is asked.
                measured = scrape(server)
                assert measured("tradelog_requests_total", status="processed") == posted
                steps = measured.of_each("tradelog_processing_seconds_count", "step")
                assert steps == dict.fromkeys(("append", "parse", "apply", "settle"), posted)
                assert measured("tradelog_answer_seconds_bucket", le="+Inf") == posted
        assert measured("tradelog_breaker_workers", state="closed") == 2
        assert len(measured.by("process_start_time_seconds")) == 2
        assert len(list(FOLDER.glob("counter_*.db"))) == 2
        assert TOKEN not in measured.text


def test_a_server_counts_from_0(databases: None) -> None:
    with Server(WORKERS="1") as server:
        server.post()
        assert scrape(server)("tradelog_requests_total") == 1
        server.kill()
        (FOLDER / "counter_7.db").write_bytes(b"left by something")
        server.start()
        assert scrape(server)("tradelog_requests_total") == 0
        server.post(order_id="another")
        assert scrape(server)("tradelog_requests_total") == 1


def test_with_the_main_database_down_they_tell_what_they_know(databases: None) -> None:
    with Server(
        WORKERS="1", DATABASE_URL=NOWHERE, BREAKER_FAILURES="1", BREAKER_RESET_SECONDS="600"
    ) as server:
        assert server.post().http == 202
        begun = time.monotonic()
        measured = scrape(server)
        assert time.monotonic() - begun < 5
        assert measured.of_each("tradelog_database_up", "database") == {"log": 1, "main": 0}
        assert measured("tradelog_requests_total", code="DATABASE_UNAVAILABLE") == 1
        assert measured("tradelog_breaker_workers", state="open") == 1
        assert measured("tradelog_backlog_entries", state="pending") == 1
        assert not {"tradelog_open_lots", "tradelog_last_alert_timestamp_seconds"} & measured.names


def test_a_token_opens_them_to_other_machines(databases: None) -> None:
    token = "prometheus-0123456789abcdef"
    with Server(WORKERS="1", METRICS_TOKEN=token, TRUSTED_PROXIES="127.0.0.1") as server:
        far = {"X-Forwarded-For": "203.0.113.7"}
        assert server.page("/metrics", headers=far).status == 401
        assert scrape(server, Authorization=f"Bearer {token}", **far).names
        assert token not in server.output
