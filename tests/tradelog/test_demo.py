"""The recorded session, over HTTP to a real server, is the list of trades TradingView has."""

from __future__ import annotations

from io import StringIO

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


def test_no_server_is_said_clearly(databases: None, settings: Settings) -> None:
    with pytest.raises(CommandError, match="make serve"):
        demo(free_port())
    settings.PORT = free_port()
    with pytest.raises(CommandError, match=rf"at http://127.0.0.1:{settings.PORT} .*PORT=…"):
        call_command("demo")
