"""The watch inside a real server, and what it says of a database that is away."""

from __future__ import annotations

from tests.factories import RefusalFactory
from tests.server import Server
from tests.watch.receiving import SECRET, Receiver
from tests.webhooks.test_database_down import NOWHERE
from watch.models import Alarm

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
    environment = {**QUICK, "ALERT_URLS": receiver.url}
    for _ in range(2):
        with Server(**environment, DATABASE_URL=NOWHERE) as server:
            server.post()
            (heard,) = receiver.wait_for(1)
            assert heard.title == "tradelog: main database out of reach"
            assert "(OperationalError)" in heard.text
    assert len(receiver.heard) == 1
    assert Alarm.objects.get().cleared_at is None


def test_a_server_can_be_told_not_to_look(databases: None, receiver: Receiver) -> None:
    with Server(ALERT_EVERY_SECONDS="0", ALERT_URLS=receiver.url) as server:
        RefusalFactory()
        server.post()
    assert not Alarm.objects.exists()
