"""The examples for nginx and Caddy, run in front of a real server."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPMessage
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.alerts import Answer, alert
from tests.deploy.proxies import NAME, Caddy, Nginx, Proxy
from tests.environment import TOKEN
from tests.server import Server
from webhooks.models import WebhookLog

WEBHOOK = f"/webhook/{TOKEN}/"
FORGED = {
    "X-Forwarded-For": "127.0.0.2",
    "X-Forwarded-Proto": "https",
    "Forwarded": "for=127.0.0.2;proto=https",
    "X-Real-IP": "127.0.0.2",
}

#: A browser that was shown a webhook's address says so to what it asks for next.
REFERRED = {"Referer": f"https://{NAME}{WEBHOOK}"}

Front = Callable[..., "Site"]


class Page(NamedTuple):
    status: int
    headers: HTTPMessage
    body: bytes


class Site:
    """tradelog behind a proxy, as its clients meet it."""

    def __init__(self, proxy: Proxy, server: Server) -> None:
        self.proxy = proxy
        self.server = server

    def ask(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, *,
        scheme: str = "https", source: str = "127.0.0.1", headers: dict[str, str] | None = None,
    ) -> Page:  # fmt: skip
        connection = self.proxy.connection(scheme, source=source)
        try:
            connection.request(method, path, body, {"Host": NAME, **(headers or {})})
            response = connection.getresponse()
            return Page(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(
        self, body: bytes | Iterator[bytes] | None = None, *, scheme: str = "https",
        source: str = "127.0.0.1", headers: dict[str, str] | None = None, **fields: Any,
    ) -> Answer:  # fmt: skip
        sent = json.dumps(alert(**fields)).encode() if body is None else body
        page = self.ask("POST", WEBHOOK, sent, scheme=scheme, source=source, headers=headers)
        return Answer(page.status, json.loads(page.body), page.headers)

    def begin(self, scheme: str, text: bytes) -> socket.socket:
        """Send this much of a request, and no more."""
        connection = self.proxy.connection(scheme)
        connection.connect()
        connection.sock.sendall(text)
        sock: socket.socket = connection.sock
        return sock


def multipart(fields: dict[str, str], *, file: bytes) -> tuple[str, bytes]:
    """A form as a browser sends it: its content type and its text."""
    parts = [(f'name="{name}"', value.encode()) for name, value in fields.items()]
    parts.append(('name="file"; filename="list.csv"', file))
    text = b"".join(
        f"--end-of-part\r\nContent-Disposition: form-data; {named}\r\n\r\n".encode()
        + value
        + b"\r\n"
        for named, value in parts
    )
    return "multipart/form-data; boundary=end-of-part", text + b"--end-of-part--\r\n"


@pytest.fixture(params=[Nginx, Caddy], ids=["nginx", "caddy"])
def front(request: pytest.FixtureRequest, databases: None, tmp_path: Path) -> Iterator[Front]:
    """`front(WORKERS="1")`: a proxy by its example, and a server behind it with these settings."""
    kind: type[Proxy] = request.param
    kind.installed()
    with ExitStack() as stack:

        def build(**settings: str) -> Site:
            behind_tls = {"BEHIND_TLS": "true", "ALLOWED_HOSTS": f"127.0.0.1,{NAME}"}
            server = stack.enter_context(Server(**behind_tls, ANSWER_SECONDS="20", **settings))
            return Site(stack.enter_context(kind(tmp_path, server.port)), server)

        yield build


def test_alerts_come_in_on_both_ports_and_pages_by_https_alone(front: Front) -> None:
    site = front()

    assert site.post(order_id="1")["status"] == "processed"
    # A redirect would lose it.
    assert site.post(order_id="2", scheme="http")["status"] == "processed"
    assert site.ask("POST", f"/webhook/{TOKEN}", b"{}", scheme="http").status == 400

    page = site.ask("GET", "/admin/login/")
    assert page.status == 200
    assert page.headers["Strict-Transport-Security"]
    assert "; Secure" in page.headers["Set-Cookie"]
    plain = site.ask("GET", "/admin/login/", scheme="http")
    assert (plain.status, plain.headers["Location"]) == (301, f"https://{NAME}/admin/login/")
    assert site.ask("GET", "/admin/login/", scheme="http", headers=FORGED).status == 301


def test_the_clients_address_is_the_one_it_has(front: Front) -> None:
    site = front(WEBHOOK_ALLOWED_IPS="127.0.0.2")

    for number, scheme in enumerate(("https", "http")):
        sent: dict[str, Any] = {"scheme": scheme, "order_id": str(number)}
        assert site.post(source="127.0.0.2", **sent)["status"] == "processed"
        assert site.post(source="127.0.0.3", **sent).http == 403
        assert site.post(source="127.0.0.3", headers=FORGED, **sent).http == 403
        # Nor does a forged one harm who may.
        forged = {**FORGED, "X-Forwarded-For": "127.0.0.3"}
        assert site.post(source="127.0.0.2", headers=forged, **sent)["status"] == "duplicate"
    assert set(WebhookLog.objects.values_list("source_address", flat=True)) == {"127.0.0.2"}


def test_senders_who_stop_midway_hold_nobody_up(front: Front) -> None:
    site = front(WORKERS="1", THREADS="1")
    alerts = f"POST {WEBHOOK} HTTP/1.1\r\nHost: {NAME}\r\n".encode()
    page = f"POST /admin/login/ HTTP/1.1\r\nHost: {NAME}\r\n".encode()
    form = b"Content-Type: application/x-www-form-urlencoded\r\n"
    with ExitStack() as stack:
        for scheme in ("http", "https"):
            for text in (
                alerts,
                alerts + b'Content-Length: 500\r\n\r\n{"strategy": ',
                alerts + b"Content-Length: 65536\r\n\r\n" + 65000 * b" ",
                alerts + b'Transfer-Encoding: chunked\r\n\r\n3\r\n{"s',
                page + form + b"Content-Length: 200000\r\n\r\n" + 100000 * b"a",
            ):
                stack.enter_context(site.begin(scheme, text))
        began = time.monotonic()
        assert site.post()["status"] == "processed"
        # They are let go after 5 seconds; until then they would have held the only thread.
        assert time.monotonic() - began < 4


def test_an_alert_has_64_kib_and_no_more(front: Front) -> None:
    site = front()
    text = json.dumps(alert()).encode()
    largest = text + (65536 - len(text)) * b" "

    assert site.post(largest)["status"] == "processed"
    assert site.post(iter([largest]))["status"] == "duplicate"
    for larger in (largest + b" ", iter([largest, b" "]), 3 * largest):
        refused = site.post(larger)
        own = site.server.post(largest + b" ")
        assert (refused.http, own.http) == (413, 413)
        assert refused.headers["Content-Type"] == own.headers["Content-Type"]
        assert refused.headers["X-Correlation-ID"] == refused.body.pop("correlation_id")
        own.body.pop("correlation_id")
        assert refused.body == own.body
    assert WebhookLog.objects.count() == 1


def test_a_page_takes_files_and_says_itself_which_are_too_large(front: Front) -> None:
    site = front()
    form = site.ask("GET", "/admin/login/")
    cookie = form.headers["Set-Cookie"].partition(";")[0]
    fields = {"csrfmiddlewaretoken": cookie.partition("=")[2], "username": "x", "password": "y"}
    content_type, text = multipart(fields, file=11_000_000 * b"a")
    headers = {"Content-Type": content_type, "Cookie": cookie, "Referer": f"https://{NAME}/"}

    shown = site.ask("POST", "/admin/login/", text, headers=headers)

    assert (shown.status, b"Please enter the correct username" in shown.body) == (200, True)


def test_no_token_is_written_whatever_happens(front: Front) -> None:
    site = front()
    for scheme in ("http", "https"):
        site.post(scheme=scheme)
        site.ask("POST", WEBHOOK, 70_000 * b" ", scheme=scheme)
        site.ask("GET", WEBHOOK, scheme=scheme)
        site.ask("POST", f"//webhook/{TOKEN}", scheme=scheme)
        site.ask("POST", f"/Webhook/{TOKEN}/", b"{}", scheme=scheme)
        site.ask("GET", "/favicon.ico", scheme=scheme, headers=REFERRED)
    site.server.stop()
    for scheme in ("http", "https"):
        # 500 to 599, upon which TradingView sends it again.
        assert 500 <= site.ask("POST", WEBHOOK, b"{}", scheme=scheme).status <= 599
    site.proxy.process.terminate()
    site.proxy.process.wait(timeout=20)

    written = site.proxy.logs
    assert "/webhook/***" in written
    assert "/favicon.ico" in written
    assert TOKEN not in written


def test_http_2_is_spoken(front: Front) -> None:
    site = front()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection(("127.0.0.1", site.proxy.https), timeout=20)
    with context.wrap_socket(plain, server_hostname=NAME) as spoken:
        assert spoken.selected_alpn_protocol() == "h2"
