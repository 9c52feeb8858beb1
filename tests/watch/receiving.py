"""A receiver of messages, as Apprise's `json://` reaches one."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

#: In the address, as in those of Telegram and Discord, and never to be told.
SECRET = "s3cret-path-0123456789"


class Heard(NamedTuple):
    title: str
    text: str


class Receiver:
    """Listens on a port of its own; `with Receiver() as receiver:`."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        #: What it answers; anything but 2xx: it has not taken the message.
        self.status = 200
        #: What it answers to messages of some titles, whatever it answers others.
        self.status_of: dict[str, int] = {}
        self.refused = 0
        self._came = threading.Condition()
        receiver = self

        class Request(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(receiver._take(self.path, told))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self.port = self._server.server_port

    @property
    def url(self) -> str:
        return f"json://someone:{SECRET}@127.0.0.1:{self.port}/{SECRET}/"

    def __enter__(self) -> Receiver:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, number: int, *, seconds: float = 30) -> list[Heard]:
        """All it has heard, once that is so many messages."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.heard) >= number, seconds), self.heard
            return list(self.heard)

    def taken(self) -> list[Heard]:
        """What it has heard since the last time."""
        with self._came:
            heard, self.heard = self.heard, []
            return heard

    def _take(self, path: str, told: dict[str, Any]) -> int:
        """What it answers."""
        assert SECRET in path
        # Telegram's have no title, and tell more of it in a text.
        title, text = told.get("title", ""), told["message"] if "message" in told else told["text"]
        with self._came:
            status = self.status_of.get(title, self.status)
            if status == 200:
                self.heard.append(Heard(title, text))
            else:
                self.refused += 1
            self._came.notify_all()
        return status
