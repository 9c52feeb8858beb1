"""The burst of a bar's close: how many alerts at once are all answered in time.

`make bench WHAT=burst`: N alerts over N/4 books, all sent at once, each on a connection of
its own as TradingView sends them. The largest N of which every one is answered 2xx under
3 seconds, and under 1 second, from the opening of its connection to the end of its answer.
"""

from __future__ import annotations

import argparse
import json
import resource
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tabulate import tabulate

from benchmarks.alerts import in_turn
from benchmarks.installation import Installation, machine, temporary_installation
from benchmarks.measured import Dishonest
from benchmarks.meters import count_rows
from benchmarks.served import PLAIN, TRADELOG, Running, Server, running

#: TradingView cancels after these seconds.
LIMITS = (1.0, 3.0)

_SERVERS = {server.name: server for server in (TRADELOG, PLAIN)}
_GIVE_UP_SECONDS = 10
_PER_BOOK = 4


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of one burst."""

    alerts: int
    #: By HTTP status; 0: no answer.
    by_status: dict[int, int]
    #: Seconds until the last answer, from its own connection's opening.
    slowest: float
    #: Seconds of CPU that sending and hearing took.
    client_cpu: float

    @property
    def all_acknowledged(self) -> bool:
        return all(200 <= status < 300 for status in self.by_status)

    @property
    def queued(self) -> int:
        return self.by_status.get(202, 0)


@dataclass(slots=True)
class _Delivery:
    request: bytes
    opened: float = 0.0
    ended: float = 0.0
    answer: bytes = b""

    @property
    def status(self) -> int:
        first = self.answer.split(b"\r\n", 1)[0].split(b" ")
        return int(first[1]) if len(first) > 1 and self.ended else 0


def send_at_once(url: str, bodies: Sequence[bytes]) -> Burst:
    """Send each on a connection of its own, without waiting for any answer before the last."""
    place = urlsplit(url)
    address = (place.hostname or "", place.port or 80)
    head = (
        f"POST {place.path} HTTP/1.1\r\nHost: {place.hostname}\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    )
    deliveries = [_Delivery(f"{head}{len(body)}\r\n\r\n".encode() + body) for body in bodies]
    before = time.process_time()
    with selectors.DefaultSelector() as selector:
        for delivery in deliveries:
            connection = socket.socket()
            connection.setblocking(False)
            delivery.opened = time.monotonic()
            with suppress(BlockingIOError):
                connection.connect(address)
            selector.register(connection, selectors.EVENT_WRITE, delivery)
        _hear(selector, over=time.monotonic() + _GIVE_UP_SECONDS)
    return Burst(
        alerts=len(deliveries),
        by_status=dict(Counter(delivery.status for delivery in deliveries)),
        slowest=max((one.ended or float("inf")) - one.opened for one in deliveries),
        client_cpu=time.process_time() - before,
    )


def _hear(selector: selectors.BaseSelector, *, over: float) -> None:
    """Send on each connection when it stands, and read its answer to the end."""
    while selector.get_map() and (left := over - time.monotonic()) > 0:
        for key, events in selector.select(left):
            connection, delivery = key.fileobj, key.data
            assert isinstance(connection, socket.socket)
            try:
                if events & selectors.EVENT_WRITE:
                    connection.sendall(delivery.request)
                    selector.modify(connection, selectors.EVENT_READ, delivery)
                    continue
                chunk = connection.recv(65536)
                delivery.answer += chunk
                if chunk:
                    continue
                delivery.ended = time.monotonic()
            except OSError:
                pass  # It has no answer, and that is what is told of it.
            selector.unregister(connection)
            connection.close()
    for key in list(selector.get_map().values()):
        assert isinstance(key.fileobj, socket.socket)
        key.fileobj.close()


def largest(hold: Callable[[int], bool], *, first: int, most: int) -> int:
    """The largest number that holds, to a tenth; 0 if not even the first does."""
    good, bad = 0, first
    while bad <= most and hold(bad):
        good, bad = bad, bad * 2
    if not good or bad > most:
        return good
    while bad - good > max(_PER_BOOK, good // 10):
        middle = (good + bad) // 2
        if hold(middle):
            good = middle
        else:
            bad = middle
    return good - good % _PER_BOOK


@dataclass(slots=True)
class Bursts:
    """Bursts against one running server, each of alerts that it has not seen."""

    installation: Installation
    server: Server
    now: Running
    tries: int
    say: Callable[[str], object]
    _sent: int = 0

    def are_in_time(self, alerts: int, limit: float) -> bool:
        """Whether most of some bursts of that size are: one bad moment may be another's doing."""
        good = sum(self._is_in_time(alerts, limit) for _ in range(self.tries))
        return good * 2 > self.tries

    def _is_in_time(self, alerts: int, limit: float) -> bool:
        alerts = max(_PER_BOOK, alerts - alerts % _PER_BOOK)
        books = alerts // _PER_BOOK
        self.installation.add_strategies(books)
        rows = count_rows(self.installation, self.server.database)
        burst = send_at_once(self.now.url, in_turn(alerts, books=books, first=self._sent))
        self._sent += alerts
        self.server.wait_until_settled(self.installation)
        written = count_rows(self.installation, self.server.database).since(rows)
        if burst.all_acknowledged and written.logs != alerts:
            raise Dishonest(f"{self.server.title}: {alerts} acknowledged, {written} written")
        self.say(
            f"{self.server.name}: {alerts} alerts over {books} books, the slowest after "
            f"{burst.slowest:.2f} s; answers {burst.by_status}; "
            f"{burst.client_cpu:.2f} s of CPU to send them"
        )
        return burst.all_acknowledged and burst.slowest < limit


@dataclass(frozen=True, slots=True)
class Largest:
    part: str
    limit: float
    alerts: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench WHAT=burst", description=__doc__)
    parser.add_argument("--only", default=",".join(_SERVERS), help=f"of {','.join(_SERVERS)}")
    parser.add_argument("--runs", type=int, default=3, help="of each size (default 3)")
    parser.add_argument("--most", type=int, default=8000, help="alerts at once (default 8000)")
    parser.add_argument("--json", type=Path, default=Path("bench-burst.json"))
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    told = machine()
    found: list[Largest] = []
    with temporary_installation() as installation:
        for name in options.only.split(","):
            with running(_SERVERS[name], installation) as now:
                bursts = Bursts(installation, _SERVERS[name], now, options.runs, print)
                bursts.are_in_time(100, 3.0)  # Warms up.
                for limit in LIMITS:
                    in_time = partial(bursts.are_in_time, limit=limit)
                    number = largest(in_time, first=100, most=options.most)
                    found.append(Largest(name, limit, number))
    options.json.write_text(
        json.dumps({"machine": told, "largest": [asdict(one) for one in found]}, indent=1) + "\n"
    )
    rows = [(one.part, f"{one.limit:.0f} s", one.alerts) for one in found]
    print(tabulate(rows, headers=("way", "all answered under", "alerts at once")))


if __name__ == "__main__":
    main()
