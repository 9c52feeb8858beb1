"""What is shown where a page cannot be, above all while a database is out of reach."""

from __future__ import annotations

import logging
import socket
import time

import pytest
from django.test import Client
from pytest_django import Settings

from tests.environment import TOKEN
from tests.factories import EntryFactory
from tests.out_of_reach import without_table
from tests.server import NOWHERE, Page, Server
from tradelog.outage import outage_page

PAGES = [
    "/",
    "/alert-builder/",
    "/time-zone/",
    "/admin/",
    "/admin/login/",
    "/admin/trades/trade/",
    "/admin/wal/entry/1/change/",
]
SESSION = {"Cookie": "sessionid=0123456789abcdefghijklmnopqrstuv"}


def is_outage_page(page: Page) -> bool:
    assert "Traceback" not in page.text and "nowhere" not in page.text
    assert page.headers["Content-Type"].startswith("text/html")
    assert "no-store" in page.headers["Cache-Control"]
    return page.status == 503 and "The database is out of reach" in page.text


def test_every_page_tells_of_the_outage(databases: None) -> None:
    with Server(DATABASE_URL=NOWHERE) as server:
        assert "no alert waits there" in server.page("/").text
        assert server.post().http == server.post(symbol="OTHER").http == 202
        for path in PAGES:
            page = server.page(path, headers=SESSION if path == "/admin/" else None)
            assert is_outage_page(page), (path, page)
            assert "2 alerts wait there now" in page.text
            assert "Reload" in page.text
        assert is_outage_page(server.page("/admin/login/", form={"username": "a"}))
        assert server.page("/static/tradelog/error.css").status == 200
        assert server.page("/static/tradelog/favicon.svg").status == 200
        assert server.page("/nowhere").status == 404
        assert "Traceback" not in server.output


def test_a_database_that_hangs_is_out_of_reach(databases: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgres://postgres@127.0.0.1:{silent.getsockname()[1]}/tradelog"
        with Server(DATABASE_URL=address) as server:
            begun = time.monotonic()
            assert is_outage_page(server.page("/admin/login/"))
            assert time.monotonic() - begun < 5


@pytest.mark.parametrize(("waiting", "told"), [(0, "no alert waits"), (1, "1 alert waits")])
def test_how_many_wait(databases: None, waiting: int, told: str) -> None:
    EntryFactory.create_batch(waiting)
    EntryFactory(status="completed")
    assert told in outage_page().content.decode()


def test_a_log_out_of_reach_is_told_as_well(databases: None) -> None:
    with without_table("wal", "webhook_wal"):
        page = outage_page()
    assert page.status_code == 503
    assert "The log is out of reach" in page.content.decode()


@pytest.fixture
def client(databases: None, settings: Settings) -> Client:
    settings.ROOT_URLCONF = "tests.tradelog.failing_urls"
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/fail/bad", 400, "not understood"),
        ("/fail/forbidden", 403, "You may not do this"),
        ("/nowhere", 404, "nothing here"),
        ("/fail/broken", 500, "This page failed"),
    ],
)
def test_pages_for_people(client: Client, path: str, status: int, title: str) -> None:
    answer = client.get(path)
    page = answer.content.decode()
    assert answer.status_code == status
    assert title in page and "error.css" in page and "favicon.svg" in page
    assert "Traceback" not in page and TOKEN not in page


def test_what_failed_is_found_by_its_number(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/fail/broken")
    number = answer.headers["X-Correlation-ID"]
    assert number in answer.content.decode()
    [line] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert number in line.getMessage() and line.exc_info


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/webhook/x/fail/bad", 400, "BAD_REQUEST"),
        ("/webhook/x/y", 404, "NOT_FOUND"),
        ("/webhook/x/fail/broken", 503, "WAL_UNAVAILABLE"),
    ],
)
def test_who_sends_alerts_is_answered_in_json(
    client: Client, path: str, status: int, code: str
) -> None:
    answer = client.post(path)
    told = answer.json()
    assert (answer.status_code, told["status"]) == (status, "rejected")
    assert told["error"].keys() == {"code", "message", "fields"}
    assert told["error"]["code"] == code
    assert told["correlation_id"] == answer.headers["X-Correlation-ID"]
    assert TOKEN not in answer.content.decode()


def test_a_name_that_is_not_ours(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.post(f"/webhook/{TOKEN}/", headers={"host": "trades.example.com"})
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.json()["error"]["message"]
    page = client.get("/", headers={"host": "trades.example.com"})
    assert (page.status_code, "ALLOWED_HOSTS" in page.content.decode()) == (400, True)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert ["trades.example.com" in line.getMessage() for line in warnings] == [True, True]
    assert not any(line.exc_info for line in warnings)


def test_a_form_of_another_site_is_refused(databases: None) -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.post("/admin/login/", {"username": "a", "password": "b"})
    assert page.status_code == 403
    assert "This form was not accepted" in page.content.decode()
