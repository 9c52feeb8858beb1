"""The proxy does to a connection what it says."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.proxy import Proxy


@pytest.fixture
def heard() -> list[bytes]:
    """What came through to the server behind the proxy."""
    return []


@pytest.fixture
def proxy(heard: list[bytes]) -> Iterator[Proxy]:
    """In front of a server that sends back what it hears."""
    path = Path(tempfile.mkdtemp()) / "socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def echo() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    while chunk := connection.recv(100):
                        heard.append(chunk)
                        connection.sendall(chunk)
                except OSError:
                    pass

    thread = threading.Thread(target=echo)
    thread.start()
    running = Proxy(path)
    yield running
    running.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    path.unlink()
    path.parent.rmdir()


@pytest.fixture
def line(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through it that works."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        connection.sendall(b"one")
        assert connection.recv(100) == b"one"
        yield connection


def test_cuts_connections(proxy: Proxy, line: socket.socket) -> None:
    assert proxy.cut() == 1
    with pytest.raises(ConnectionResetError):
        line.recv(100)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as another:
        another.sendall(b"two")
        assert another.recv(100) == b"two"


def test_stalls_both_ways(proxy: Proxy, line: socket.socket, heard: list[bytes]) -> None:
    proxy.stall(requests=True)
    line.sendall(b"two")
    line.settimeout(0.2)
    with pytest.raises(TimeoutError):
        line.recv(100)
    assert heard == [b"one"]
    assert proxy.resume() == 3
    line.settimeout(5)
    assert line.recv(100) == b"two"


def test_loses_answers(proxy: Proxy, line: socket.socket, heard: list[bytes]) -> None:
    proxy.stall(requests=False)
    line.sendall(b"two")
    line.settimeout(0.2)
    with pytest.raises(TimeoutError):
        line.recv(100)
    assert heard == [b"one", b"two"]
    assert proxy.cut() == 1
    assert proxy.resume() == 3
    line.settimeout(5)
    with pytest.raises(ConnectionResetError):
        line.recv(100)
