"""The two probes, asked as those ask who know the service's address alone."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from tests.server import Server

#: An address within a cluster, and what no URL may hold.
NAMES = ["10.42.0.7:8733", "tradelog.default.svc", "no_name!"]


@pytest.mark.parametrize("name", NAMES)
@override_settings(ALLOWED_HOSTS=["trades.example.com"], SECURE_SSL_REDIRECT=True)
def test_probes_are_answered_by_any_name(databases: None, name: str) -> None:
    client = Client()
    live = client.get("/health/live", headers={"host": name})
    ready = client.get("/health/ready", headers={"host": name})
    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    for answer in (live, ready):
        assert answer.headers["X-Correlation-ID"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@override_settings(ALLOWED_HOSTS=["trades.example.com"])
def test_no_other_path_is(client: Client, databases: None) -> None:
    for path in ("/", "/metrics", "/health/live/", "/health/", "/health"):
        assert client.get(path, headers={"host": NAMES[0]}).status_code == 400, path


def test_a_probe_opens_no_session(databases: None) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    with CaptureQueriesContext(connection) as asked:
        answer = client.get("/health/ready")
    assert [query["sql"] for query in asked] == ["SELECT 1"]
    assert not answer.cookies and not answer.has_header("Vary")


def test_probes_only_look(databases: None) -> None:
    for path in ("/health/live", "/health/ready"):
        assert Client().head(path).status_code == 200
        assert Client().post(path).status_code == 405


def test_a_server_behind_tls_is_probed_by_its_address(databases: None) -> None:
    with Server(BEHIND_TLS="true", ALLOWED_HOSTS="trades.example.com") as server:
        probe = server.page("/health/ready", headers={"Host": NAMES[0]})
        assert probe.status == 200
        assert probe.headers["X-Correlation-ID"]
