"""What browsers are told, and how the service is to be reached by TLS."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from tests.alerts import Poster
from tests.factories import RefusalFactory
from tests.installation import manage
from tests.server import Server
from tradelog.forwarded import ForwardedProtocolMiddleware

HTTPS = {"X-Forwarded-Proto": "https"}


@pytest.fixture
def client(post: Poster) -> Client:
    """Logged in, with one row of everything."""
    post()
    post(action="exit", quantity=None, price="110", time="2026-01-05T15:00:00Z")
    RefusalFactory()
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    return client


def test_every_answer_has_the_headers(client: Client) -> None:
    for path in ("/admin/", "/admin/login/", "/nowhere", "/static/admin/css/base.css", "/webhook/"):
        answer = client.get(path)
        answer.close()
        headers = answer.headers
        policy = headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
        assert "unsafe" not in str(policy)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        if not path.startswith("/static/"):
            assert headers["X-Frame-Options"] == "DENY"


def test_no_page_has_what_the_policy_forbids(client: Client) -> None:
    pages, waiting = set(), {"/admin/"}
    while waiting:
        path = waiting.pop()
        pages.add(path)
        html = client.get(path).content.decode()
        assert not re.search(r"<script(?![^>]* src=)(?![^>]*application/json)", html), path
        assert not re.search(r"<style|<[^>]+ (style|on[a-z]+)=", html), path
        # From the first page two steps down, as far as they only look.
        if path.count("/") < 6:
            links = re.findall(r'href="(/admin/[^"?]*)"', html)
            waiting |= {link for link in links if "logout" not in link} - pages
    assert len(pages) > 25


def test_no_page_is_kept_for_who_comes_after_the_log_out(client: Client) -> None:
    for path in ("/", "/admin/", "/alert-builder/", "/compare-export/", "/time-zone/"):
        assert "no-store" in client.get(path).headers["Cache-Control"], path


def test_the_session_is_for_the_browser_alone(databases: None) -> None:
    User.objects.create_superuser("trader", password="correct-horse-battery")
    client = Client()
    client.post("/admin/login/", {"username": "trader", "password": "correct-horse-battery"})
    session = client.cookies["sessionid"]
    assert (session["httponly"], session["samesite"]) == (True, "Lax")
    assert 0 < session["max-age"] <= 24 * 3600


def test_deployed_behind_tls_nothing_is_to_be_said(tmp_path: Path) -> None:
    checked = manage(
        "check", "--deploy", "--fail-level", "WARNING",
        BEHIND_TLS="true", SECRET_KEY=secrets.token_urlsafe(48), TRADELOG_DATA=str(tmp_path),
        # Set where the tests in a browser run; nobody deploys with it.
        DJANGO_ALLOW_ASYNC_UNSAFE="",
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_behind_tls_pages_are_shown_by_https_alone(databases: None) -> None:
    with Server(BEHIND_TLS="true") as server:
        plain = server.page("/admin/login/")
        assert plain.status == 301
        assert plain.headers["Location"] == f"https://127.0.0.1:{server.port}/admin/login/"
        page = server.page("/admin/login/", headers=HTTPS)
        assert page.status == 200
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "; Secure" in page.headers["Set-Cookie"]


def test_behind_tls_no_alert_is_redirected(databases: None) -> None:
    with Server(BEHIND_TLS="true") as server:
        # From the proxy; from one that says nothing; from this machine.
        assert server.post(order_id="1", headers=HTTPS)["status"] == "processed"
        assert server.post(order_id="2")["status"] == "processed"
        assert server.post(order_id="3", path="/webhook").code == "INVALID_TOKEN"
        assert server.get("/health/ready").http == 200


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X_Forwarded_Proto", "x-forwarded-proto"])
def test_who_is_no_proxy_of_ours_says_nothing_about_tls(databases: None, name: str) -> None:
    with Server(BEHIND_TLS="true", TRUSTED_PROXIES="203.0.113.7") as server:
        assert server.page("/admin/login/", headers={name: "https"}).status == 301


def test_the_scheme_is_believed_from_trusted_proxies(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    seen: list[bool] = []

    def note(request: object) -> HttpResponse:
        seen.append(request.is_secure())  # type: ignore[attr-defined]
        return HttpResponse()

    middleware = ForwardedProtocolMiddleware(note)
    for peer in ("10.0.0.1", "::ffff:10.0.0.1", "203.0.113.7", ""):
        middleware(RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_PROTO="https"))
    assert seen == [True, True, False, False]
