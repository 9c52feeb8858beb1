"""Passwords cannot be tried for long, from one address or for one user."""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache, caches
from django.test import Client
from django_ratelimit.core import _get_window
from pytest_django import Settings

from tests.server import Server

PASSWORD = "correct-horse-battery"


@pytest.fixture
def client(databases: None, settings: Settings, one_window: None) -> Client:
    # By itself it takes a third of a second a try.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    User.objects.create_superuser("trader", password=PASSWORD)
    return Client()


def log_in(
    client: Client, name: str = "trader", password: str = "wrong", address: str = "203.0.113.1"
) -> int:
    form = {"username": name, "password": password}
    return client.post("/admin/login/", form, REMOTE_ADDR=address).status_code


def name_counted_from_now() -> str:
    """A name whose window of five minutes has more than four before it.

    Names have windows of their own, so that not all end at once; one that ended in the middle
    of a test would begin the count anew.
    """
    names = (f"trader{number}" for number in itertools.count())
    return next(name for name in names if _get_window(name, 300) - time.time() > 240)


def test_one_user_from_many_addresses(client: Client) -> None:
    # The last one's letters are full-width; the form reads them as the usual ones.
    full_width = "".join(chr(ord(letter) + 0xFEE0) for letter in "trader")
    spellings = ["trader", "Trader", " TRADER ", full_width]
    tries = [log_in(client, spellings[n % 4], address=f"203.0.113.{n}") for n in range(12)]
    assert tries == [200] * 10 + [429] * 2
    assert log_in(client, password=PASSWORD, address="203.0.113.99") == 429
    assert log_in(client, "another") == 200
    cache.clear()
    assert log_in(client, full_width, PASSWORD) == 302


def test_a_name_that_is_slow_to_normalise_costs_nothing(client: Client) -> None:
    began = time.process_time()
    # Marks that are put in order one by one: together they take 8 seconds.
    assert log_in(client, "a" + "\u0301\u0316" * 32_000) == 200
    assert time.process_time() - began < 3


def test_many_users_from_one_address(client: Client) -> None:
    assert [log_in(client, f"user{n}") for n in range(22)] == [200] * 20 + [429] * 2
    assert log_in(client, password=PASSWORD, address="203.0.113.2") == 302


def test_an_address_that_had_its_tries_keeps_nobody_out(client: Client) -> None:
    """Nothing is tried any more, so it is no try for the name it says."""
    assert [log_in(client, f"user{n}") for n in range(20)] == [200] * 20
    assert [log_in(client) for _ in range(11)] == [429] * 11
    assert log_in(client, password=PASSWORD, address="203.0.113.2") == 302


def test_a_household_has_one_address(client: Client) -> None:
    tries = [log_in(client, f"user{n}", address=f"2001:db8::{n:x}") for n in range(21)]
    assert tries[-1] == 429


def test_the_answer_says_when_to_try_again(client: Client) -> None:
    for _ in range(10):
        log_in(client)
    answer = client.post("/admin/login/", {"username": "trader"})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert re.search(r"Try again in \d minutes?\.", answer.content.decode())
    assert client.get("/admin/login/").status_code == 200


def test_the_client_behind_our_proxy_is_counted(client: Client, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    statuses = [
        client.post(
            "/admin/login/",
            {"username": f"user{n}"},
            headers={"x-forwarded-for": f"203.0.113.{n % 2}"},
        ).status_code
        for n in range(42)
    ]
    assert statuses == [200] * 40 + [429] * 2


def test_the_count_holds_across_workers(databases: None) -> None:
    caches["default"].clear()
    with Server(WORKERS="2") as server:
        page = server.page("/admin/login/")
        [csrf] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        cookie = {"Cookie": page.headers["Set-Cookie"].partition(";")[0]}
        form = {"username": name_counted_from_now(), "password": "x", "csrfmiddlewaretoken": csrf}
        tries = [server.page("/admin/login/", form=form, headers=cookie) for _ in range(12)]
    assert [page.status for page in tries] == [200] * 10 + [429] * 2
    assert "Too many attempts" in tries[-1].text
    caches["default"].clear()


def test_who_runs_the_service_gets_in_without_counters(
    client: Client, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "tradelog.counters.SharedCounters",
            "LOCATION": str(tmp_path / "gone" / "counters.lmdb"),
        }
    }
    assert log_in(client, password=PASSWORD) == 302
    assert "could not be counted" in caplog.text
