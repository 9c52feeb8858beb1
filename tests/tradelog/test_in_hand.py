"""Requests in hand: counted from their call to the end of their answer."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from tradelog.in_hand import Application, RequestsInHand


class Started:
    """A server's side of one request."""

    def __init__(self, application: Application) -> None:
        self.status = ""
        self.headers: dict[str, str] = {}
        self.answer: Any = application({}, self._start)

    def _start(self, status: str, headers: list[tuple[str, str]], *error: Any) -> None:
        self.status, self.headers = status, dict(headers)


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


def test_an_answer_is_in_hand_until_it_is_closed() -> None:
    in_hand = RequestsInHand()
    request = Started(in_hand.counted(hello))
    assert list(request.answer) == [b"hello"]
    assert not in_hand.finish(patience=0)
    request.answer.close()
    assert in_hand.finish(patience=0)


def test_finishing_waits_for_the_last_one() -> None:
    in_hand = RequestsInHand()
    application = in_hand.counted(hello)
    first, last = Started(application), Started(application)
    finished = threading.Event()

    def finish() -> None:
        assert in_hand.finish(patience=30)
        finished.set()

    waiting = threading.Thread(target=finish)
    waiting.start()
    first.answer.close()
    assert not finished.wait(0.05)
    last.answer.close()
    assert finished.wait(30)
    waiting.join()


def test_what_fails_is_not_in_hand_for_ever() -> None:
    def fail(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise RuntimeError("on purpose")

    class FailsToClose(list[bytes]):
        def close(self) -> None:
            raise RuntimeError("on purpose")

    in_hand = RequestsInHand()
    with pytest.raises(RuntimeError):
        Started(in_hand.counted(fail))
    request = Started(in_hand.counted(lambda environ, start_response: FailsToClose()))
    with pytest.raises(RuntimeError):
        request.answer.close()
    assert in_hand.finish(patience=0)


def test_what_comes_later_is_asked_to_come_again() -> None:
    in_hand = RequestsInHand()
    in_hand.finish(patience=0)
    request = Started(in_hand.counted(hello))
    assert request.status.startswith("503 ")
    assert request.headers["Retry-After"] == "5"
    assert b"WAL_UNAVAILABLE" in b"".join(request.answer)
