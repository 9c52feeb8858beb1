from __future__ import annotations

import socket
import subprocess
import sys

from benchmarks.ports import free_port

SHOW = "from benchmarks.ports import free_port; print(free_port(), flush=True); input()"


def test_no_two_processes_are_given_the_same_port() -> None:
    own = free_port()
    others = [
        subprocess.Popen(
            [sys.executable, "-c", SHOW],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        given = {own, *(int(other.stdout.readline()) for other in others if other.stdout)}
        assert len(given) == 4
    finally:
        for other in others:
            other.communicate("\n")


def test_a_port_is_given_once_and_not_while_somebody_listens() -> None:
    first = free_port()
    with socket.create_server(("127.0.0.1", first + 1)):
        assert free_port() not in (first, first + 1)
