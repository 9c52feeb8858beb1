"""CACHE_URL: requests counted in a Valkey, where several hosts share the count."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server
from tests.valkey import valkey


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of a real Valkey."""
    with valkey(tmp_path) as port:
        yield port


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_servers_share_one_count(databases: None, port: int, tmp_path: Path, scheme: str) -> None:
    """Two servers on two data folders: nothing but the Valkey tells one of the other."""
    shared = {"CACHE_URL": f"{scheme}://127.0.0.1:{port}/0", "WEBHOOK_RATE": "6/h"}
    with (
        Server(**shared) as one,
        Server(**shared, TRADELOG_DATA=str(tmp_path / "other")) as other,
    ):
        answers = [(one, other)[number % 2].post(symbol=f"S{number}").http for number in range(8)]
    assert answers == [200] * 6 + [503] * 2


def test_without_it_alerts_are_taken_uncounted(databases: None) -> None:
    """Losing count is better than losing trades."""
    with (
        # Takes connections and never answers: the slowest way of being away.
        socket.create_server(("127.0.0.1", 0)) as silent,
        Server(
            CACHE_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}/0", WEBHOOK_RATE="1/h"
        ) as server,
    ):
        for symbol in ("A", "B"):
            begun = time.monotonic()
            assert server.post(symbol=symbol).http == 200
            assert time.monotonic() - begun < 3, "TradingView waits no longer"
