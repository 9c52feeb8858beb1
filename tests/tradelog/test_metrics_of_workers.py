"""Metrics of a real server: the workers' together, whoever dies, and with no database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector

import metering
from tests.environment import TOKEN
from tests.measured import Measured
from tests.server import NOWHERE, ROOT, Server

FOLDER = Path(settings.TRADELOG_DATA) / "metrics"


def scrape(server: Server, **headers: str) -> Measured:
    page = server.page("/metrics", headers=headers)
    assert page.status == 200, page.text
    return Measured(page.text)


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
        server.wait_until(lambda: len(workers()) == 2)
        post_many(server, 0, 20)
        posted = 20
        for nth, place in enumerate(("0", "1", "0")):
            # While one is away the other takes all, whoever has taken the first ones.
            assert nth == 0 or processed_by(place) > 0, "it has counted what must outlive it"
            old = workers()[place]
            psutil.Process(old).kill()
            post_many(server, posted, posted + 20)
            posted += 20
            server.wait_until(partial(_was_replaced, place, old))
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


_COUNTS = """
import sys, metering
print(metering.duplicates._value.get(), metering.breaker_open_until._value.get(), flush=True)
metering.duplicates.inc(3)
metering.breaker_open_until.set(2e9)
print("done", flush=True)
sys.stdin.read()
"""


@contextmanager
def counting(folder: Path) -> Iterator[tuple[str, str]]:
    """A process that counts, killed at the end; what it found, and its place."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", _COUNTS],
        env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout
        found = process.stdout.readline().strip()
        assert process.stdout.readline() == "done\n"
        (place,) = (
            path.stem for path in folder.glob("*.process")
            if int(path.read_text()) == process.pid
        )  # fmt: skip
        yield found, place
        process.kill()


def test_who_replaces_a_process_counts_on_and_begins_its_gauges_anew(tmp_path: Path) -> None:
    with counting(tmp_path) as first, counting(tmp_path) as second:
        assert (first, second) == (("0.0 0.0", "0"), ("0.0 0.0", "1"))
    with counting(tmp_path) as third:
        assert third == ("3.0 0.0", "0")


def test_their_files_have_their_room_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    metering.count_together(tmp_path / "metrics", workers=2)
    with counting(tmp_path / "metrics") as found:
        assert found == ("0.0 0.0", "0")
        files = list((tmp_path / "metrics").glob("*.db"))
        assert len(files) == 6
        for file in files:
            told = file.stat()
            assert told.st_blocks * 512 >= told.st_size == 65536, file


def test_a_server_takes_alerts_without_a_place_for_metrics(databases: None) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.write_text("in the way")
    try:
        with Server(WORKERS="1") as server:
            assert server.post()["status"] == "processed"
            assert scrape(server)("tradelog_requests_total") == 1
            assert "Metrics are of whichever worker is asked" in server.output
    finally:
        FOLDER.unlink()


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
        # Another thread of the worker's may be the one that has just found out.
        server.wait_until(lambda: scrape(server)("tradelog_breaker_workers", state="open") == 1)
        # Pending, or taken up for a moment to be tried again.
        waiting = measured.of_each("tradelog_backlog_entries", "state")
        assert waiting["pending"] + waiting["processing"] == 1
        assert not {"tradelog_open_lots", "tradelog_last_alert_timestamp_seconds"} & measured.names


def test_a_token_opens_them_to_other_machines(databases: None) -> None:
    token = "prometheus-0123456789abcdef"
    with Server(WORKERS="1", METRICS_TOKEN=token, TRUSTED_PROXIES="127.0.0.1") as server:
        far = {"X-Forwarded-For": "203.0.113.7"}
        assert server.page("/metrics", headers=far).status == 401
        assert scrape(server, Authorization=f"Bearer {token}", **far).names
        assert token not in server.output
