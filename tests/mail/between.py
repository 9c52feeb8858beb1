"""Somebody between the service and its mail server, who answers some of it himself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def between(port: int, answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """The mail server at this port, on another one; yields that.

    Each line that is said to it goes through `answer` first: b"" passes it on, all else is said in
    the server's stead, and a good-bye (BYE) ends the connection.
    """

    def serve(client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", port)) as server:
            answering = threading.Thread(target=pass_back, args=(server, client), daemon=True)
            answering.start()
            for line in client.makefile("rb"):
                if not (own := answer(line)):
                    server.sendall(line)
                    continue
                client.sendall(own)
                if own.startswith(b"* BYE"):
                    break
            server.shutdown(socket.SHUT_RDWR)
            answering.join()

    def pass_back(server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while told := server.recv(65536):
                client.sendall(told)

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                serve(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
