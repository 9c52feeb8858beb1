"""The requests a worker process has in hand, and how it finishes them."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from faults import LogUnavailable

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class RequestsInHand:
    """The requests that one process has begun to answer and not ended."""

    def __init__(self) -> None:
        self._count = 0
        self._finishing = False
        self._changed = threading.Condition()

    def counted(self, application: Application) -> Application:
        """The application, each of its requests counted until its answer is closed."""

        def count(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            with self._changed:
                if self._finishing:
                    return _refusal(start_response)
                self._count += 1
            try:
                return _Answer(application(environ, start_response), self._end)
            except BaseException:
                self._end()
                raise

        return count

    def finish(self, *, patience: float) -> bool:
        """Refuse what comes from now on; wait for what is in hand, `patience` seconds at most.

        Tells whether all of it has ended.
        """
        with self._changed:
            self._finishing = True
            return self._changed.wait_for(lambda: self._count == 0, patience)

    def _end(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()


def _refusal(start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What a server answers that is about to end: TradingView sends the alert again in 5 s."""
    fault = LogUnavailable("The server is stopping, and has accepted nothing.")
    correlation_id = str(uuid.uuid4())
    start_response(
        f"{fault.http_status} {HTTPStatus(fault.http_status).phrase}",
        [
            ("Content-Type", "application/json"),
            *fault.headers().items(),
            ("X-Correlation-ID", correlation_id),
            # A proxy that keeps connections open brings the next request to the next server.
            ("Connection", "close"),
        ],
    )
    return [json.dumps(fault.told(correlation_id)).encode()]


class _Answer:
    """An answer's body; `ended` is called when the server has taken all of it, or given up."""

    def __init__(self, body: Iterable[bytes], ended: Callable[[], None]) -> None:
        self._body = body
        self._ended = ended

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            if close := getattr(self._body, "close", None):
                close()
        finally:
            self._ended()
