"""Clients that behave as TradingView does, and a ledger of all that they were answered."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

from tests.chaos.plan import Alert

#: TradingView cancels a request after this many seconds, and sends it again this often.
TIMEOUT = 3.0
RESENDINGS = 3

#: Seconds a client rests when nobody answers: alerts come at their own pace, and a server
#: that is down for a second must not eat the whole plan.
_REST = 0.25


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request was answered. Times are time.monotonic()'s."""

    sent: float
    came: float
    #: None: no answer came.
    http: int | None
    body: dict[str, Any]

    @property
    def is_acknowledgement(self) -> bool:
        """Whether the server has promised one effect."""
        return self.http is not None and 200 <= self.http < 300

    @property
    def status(self) -> str:
        return str(self.body.get("status", ""))


@dataclass(slots=True)
class Delivery:
    """One sending of one alert, with the times it was sent again."""

    alert: Alert
    answers: list[Answer] = field(default_factory=list)

    @property
    def last(self) -> Answer:
        return self.answers[-1]


class Ledger:
    """What was sent and answered. Safe to write from many threads."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self._changed = threading.Condition()
        #: When the last answer `processed` came, and the request for it was sent.
        self._processed: tuple[float, float] = (0.0, 0.0)

    def begin(self, alert: Alert) -> Delivery:
        with self._changed:
            delivery = Delivery(alert)
            self.deliveries.append(delivery)
            return delivery

    def note(self, delivery: Delivery, answer: Answer) -> None:
        with self._changed:
            delivery.answers.append(answer)
            if answer.is_acknowledgement and answer.status == "processed":
                self._processed = (answer.came, answer.sent)
                self._changed.notify_all()

    def wait_until_processed(self, *, after: float, patience: float) -> float | None:
        """When the first answer `processed` came whose request was sent after that moment."""
        with self._changed:
            if self._changed.wait_for(lambda: self._processed[1] > after, patience):
                return self._processed[0]
            return None

    def __len__(self) -> int:
        return len(self.deliveries)


class Load:
    """`with Load(...)`: client threads that send the plan's alerts until the block ends.

    Several hosts get them in turn, and what is sent again goes to another one. What finds
    nobody listening goes to the next, as a balancer in front of them would have it.
    """

    def __init__(
        self,
        ports: Sequence[int],
        token: str,
        plan: Iterator[Alert],
        *,
        clients: int,
        resend_after: float,
    ) -> None:
        self.ledger = Ledger()
        self._ports = ports
        self._turn = itertools.count()
        self._path = f"/webhook/{token}/"
        self._plan = plan
        self._resend_after = resend_after
        self._next = threading.Lock()
        self._over = threading.Event()
        self._clients = [
            threading.Thread(target=self._send_all, name=f"client-{number}")
            for number in range(clients)
        ]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for client in self._clients:
            client.join()

    def _send_all(self) -> None:
        while not self._over.is_set():
            with self._next:
                delivery = self.ledger.begin(next(self._plan))
            self.deliver(delivery)

    def deliver(self, delivery: Delivery) -> None:
        """Send it, and again after each 5xx, RESENDINGS times at most."""
        first = next(self._turn)
        for sending in range(1 + RESENDINGS):
            if sending:
                time.sleep(self._resend_after)
            answer = self._post(delivery.alert.body, first + sending)
            self.ledger.note(delivery, answer)
            if answer.http is None:
                self._over.wait(_REST)
            if answer.http is None or not 500 <= answer.http < 600:
                return

    def _post(self, body: bytes, first: int) -> Answer:
        """Post once, to the host whose turn it is or the next one that listens."""
        for number in range(len(self._ports)):
            answer = self._post_to(self._ports[(first + number) % len(self._ports)], body)
            if answer.body.get("error") != ConnectionRefusedError.__name__:
                break
        return answer

    def _post_to(self, port: int, body: bytes) -> Answer:
        """Post on a connection of its own, as TradingView does."""
        sent = time.monotonic()
        connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        try:
            connection.connect()
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            assert isinstance(connection.sock, socket.socket)
            connection.sock.settimeout(max(0.01, sent + TIMEOUT - time.monotonic()))
            response = connection.getresponse()
            told = json.loads(response.read())
            return Answer(sent, time.monotonic(), response.status, told)
        except (OSError, HTTPException, ValueError) as error:
            return Answer(sent, time.monotonic(), None, {"error": type(error).__name__})
        finally:
            connection.close()
