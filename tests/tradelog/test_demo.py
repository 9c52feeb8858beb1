"""The recorded session, over HTTP to a real server, is the list of trades TradingView has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from threading import Thread

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from benchmarks.ports import free_port
from positions.models import Lot
from tests.environment import TOKEN
from tests.server import Server
from tradelog import session
from trades.models import Trade
from webhooks.models import WebhookLog


def demo(port: int) -> str:
    output = StringIO()
    call_command("demo", url=f"http://127.0.0.1:{port}/webhook/{TOKEN}/", stdout=output)
    return output.getvalue()


def test_the_session_gives_its_trades_however_often_it_is_sent(server: Server) -> None:
    assert "25 alerts sent: 25 processed." in demo(server.port)
    assert len(session.expected_trades()) == 21
    assert session.logged_trades() == session.expected_trades()
    assert not Lot.objects.filter(status="open").exists()
    assert not WebhookLog.objects.filter(drift=True).exists()

    assert "25 alerts sent: 25 duplicate." in demo(server.port)
    assert Trade.objects.count() == 21


def test_other_trades_are_told_apart(server: Server) -> None:
    demo(server.port)
    Trade.objects.filter(pk=Trade.objects.earliest("id").pk).update(exit_price=1)
    with pytest.raises(CommandError, match="not the trades"):
        demo(server.port)


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of something that gives every request this answer."""

    class Another(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Another) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            b"HTTP/1.0 404 Not Found\r\nServer: nginx\r\nContent-Type: text/html\r\n\r\n<html>",
            "404 Not Found, text/html, from nginx",
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n[]",
            "200 OK, application/json",
        ),
        (b'HTTP/1.0 200 OK\r\n\r\n{"message": "hello"}', "200 OK"),
        (b"SSH-2.0-OpenSSH\r\n", r"no HTTP \(BadStatusLine\('SSH-2.0-OpenSSH.*'\)\)"),
    ],
)
def test_what_answers_instead_is_said(answer: bytes, told: str) -> None:
    with (
        answering(answer) as port,
        pytest.raises(CommandError, match=f"^What answers there is no tradelog: {told}\\.$"),
    ):
        demo(port)


def test_no_server_is_said_clearly(databases: None, settings: Settings) -> None:
    with pytest.raises(CommandError, match="make serve"):
        demo(free_port())
    settings.PORT = free_port()
    with pytest.raises(CommandError, match=rf"at http://127.0.0.1:{settings.PORT} .*PORT=…"):
        call_command("demo")
