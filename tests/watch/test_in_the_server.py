"""The watch inside a real server, and what it says of a database that is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.factories import RefusalFactory
from tests.server import NOWHERE, Server
from tests.wal.elsewhere import Log
from tests.watch.receiving import SECRET, Receiver
from watch.models import Alarm


@pytest.fixture
def log_on_postgresql(databases: None) -> Iterator[Log]:
    log = Log()
    yield log
    log.close()


QUICK = {"ALERT_EVERY_SECONDS": "0.1", "WORKERS": "2", "ALERT_RECONCILE_HOURS": "0"}


def test_a_server_tells_once_whatever_its_number_of_processes(
    databases: None, receiver: Receiver
) -> None:
    environment = {**QUICK, "ALERT_URLS": receiver.url, "ALERT_TRADES": "true"}
    with Server(**environment, ANSWER_SECONDS="1") as server:
        RefusalFactory()
        (heard,) = receiver.wait_for(1)
        assert heard.title == "tradelog: refused by rate"
        assert server.post()["status"] == "processed"
        *_, heard = receiver.wait_for(2)
        assert heard.title == "Alpha: entry"
        told = server.wait_for_line("Alarm: Alerts with a valid token")
        assert SECRET not in told
    with Server(**environment) as server:
        server.post(symbol="OTHER")
        server.kill()
    with Server(**environment):
        *_, heard = receiver.wait_for(3)
        assert heard.text.startswith("Alpha on OTHER: entry")
    assert len(receiver.heard) == 3


def test_a_server_tells_once_that_its_database_is_away(databases: None, receiver: Receiver) -> None:
    environment = {**QUICK, "ALERT_URLS": receiver.url, "DATABASE_URL": NOWHERE}
    with Server(**environment) as server:
        server.post()
        (heard,) = receiver.wait_for(1)
        assert heard.title == "tradelog: main database out of reach"
        assert "(OperationalError)" in heard.text
    with Server(**environment):
        # What is told next shows that the first is known.
        RefusalFactory()
        *_, heard = receiver.wait_for(2)
        assert heard.title == "tradelog: refused by rate"
        assert "out of reach" not in heard.text
    assert Alarm.objects.get(rule="database").cleared_at is None


def test_with_the_log_on_a_postgresql_too(log_on_postgresql: Log, receiver: Receiver) -> None:
    environment = {
        **QUICK, "ALERT_URLS": receiver.url, "WAL_DATABASE_URL": log_on_postgresql.url,
    }  # fmt: skip
    with Server(**environment) as server:
        server.post(price="-1")
        receiver.wait_for(1)
    with Server(**environment) as server:
        server.post(prev_market_position="short")
        receiver.wait_for(2)
    assert [heard.title for heard in receiver.heard] == [
        "tradelog: alerts refused of Alpha",
        "tradelog: drift of Alpha",
    ]


def test_a_server_can_be_told_not_to_look(databases: None, receiver: Receiver) -> None:
    with Server(ALERT_EVERY_SECONDS="0", ALERT_URLS=receiver.url) as server:
        RefusalFactory()
        server.post()
    assert not Alarm.objects.exists()
