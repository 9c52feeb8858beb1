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


def test_a_port_that_somebody_listens_on_is_left_out() -> None:
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        # More than the process has, so it comes round to it again.
        assert taken not in [free_port() for _ in range(1000)]
    assert taken in [free_port() for _ in range(1000)]
