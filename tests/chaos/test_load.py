"""The clients behave as TradingView does: what they send again, and what they never do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import pytest

from tests.chaos import load as loading
from tests.chaos.load import Load
from tests.chaos.plan import alerts

ALERT = next(alerts(seed=1))


@contextmanager
def answering(*script: int | None) -> Iterator[tuple[int, list[bytes], threading.Event]]:
    """A server that answers with these in turn (None: not at all, until the event is set)."""
    bodies: list[bytes] = []
    goes_on = threading.Event()

    class Scripted(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            status = script[len(bodies) - 1]
            if status is None:
                goes_on.wait(10)
                return
            answer = json.dumps({"status": "processed" if status == 200 else "rejected"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield server.server_address[1], bodies, goes_on
    finally:
        goes_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("script", "sent"),
    [
        ([200], 1),
        ([202], 1),
        ([429], 1),
        ([404], 1),
        ([503, 200], 2),
        ([503, 500, 502, 200], 4),
        ([503, 503, 503, 503], 4),
        ([503, 429], 2),
    ],
    ids=str,
)
def test_sends_again_on_5xx_alone(script: list[int], sent: int) -> None:
    with answering(*script) as (port, bodies, _):
        load = Load([port], "token", iter(()), clients=0, resend_after=0.01)
        delivery = load.ledger.begin(ALERT)
        load.deliver(delivery)
    assert bodies == [ALERT.body] * sent
    assert [answer.http for answer in delivery.answers] == script


def test_no_answer_in_time_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loading.TIMEOUT == 3.0
    monkeypatch.setattr(loading, "TIMEOUT", 0.2)
    with answering(None) as (port, bodies, _):
        load = Load([port], "token", iter(()), clients=0, resend_after=0.01)
        delivery = load.ledger.begin(ALERT)
        load.deliver(delivery)
        assert bodies == [ALERT.body]
    assert [answer.http for answer in delivery.answers] == [None]
    assert delivery.last.came - delivery.last.sent == pytest.approx(0.2, abs=0.15)


def test_a_plan_is_its_seed_and_has_alerts_that_come_twice() -> None:
    plan = list(islice(alerts(seed=5), 300))
    assert plan == list(islice(alerts(seed=5), 300))
    assert plan != list(islice(alerts(seed=6), 300))
    assert len({alert.name for alert in plan}) < len(plan)
    assert {alert.intent for alert in plan} == {"entry", "exit", "flatten", "order"}
