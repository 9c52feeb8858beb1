"""What is counted apart from the timed runs, because counting slows what it counts.

Round trips to PostgreSQL by a proxy before it; fsyncs of the service's log by strace.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import floor
from benchmarks.installation import Installation
from benchmarks.load import Load
from benchmarks.served import Server, running
from tradelog.postgres_programs import SUPERUSER

#: Seconds of load in which is counted.
_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Counted:
    """Each an alert; None where this machine cannot tell."""

    part: str
    clients: int
    #: Times that somebody waited for PostgreSQL, however many statements went at once.
    round_trips: float
    #: Of the service's own log, where that is a file.
    log_fsyncs: float | None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def count_floor(installation: Installation, *, clients: int, books: int) -> Counted:
    with _proxy(installation) as turns:
        host = f"127.0.0.1:{turns.port}"
        answers = floor.run(installation, clients=clients, seconds=_SECONDS, books=books, host=host)
        return Counted("floor", clients, turns.count / answers.acknowledged, None)


def count_server(
    installation: Installation, server: Server, load: Load, *, clients: tuple[int, ...]
) -> list[Counted]:
    """One server at each number of clients; its load goes on where it ended."""
    round_trips = _round_trips(installation, server, load, clients)
    fsyncs = _log_fsyncs(installation, server, load, clients) if server.has_log else {}
    return [
        Counted(server.name, number, round_trips[number], fsyncs.get(number)) for number in clients
    ]


def _round_trips(
    installation: Installation, server: Server, load: Load, clients: tuple[int, ...]
) -> dict[int, float]:
    found = {}
    with _proxy(installation) as turns:
        address = f"postgres://{SUPERUSER}@127.0.0.1:{turns.port}/{server.database}"
        with running(server, installation, DATABASE_URL=f"{address}?sslmode=disable") as now:
            for number in clients:
                load.warm_up(now.url, clients=number)
                before = turns.count
                answers = load.run(now.url, clients=number, seconds=_SECONDS)
                found[number] = (turns.count - before) / answers.acknowledged
            if not server.is_honest:
                now.kill()
    return found


def _log_fsyncs(
    installation: Installation, server: Server, load: Load, clients: tuple[int, ...]
) -> dict[int, float]:
    strace = shutil.which("strace")
    if strace is None:
        return {}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        calls = Path(folder) / "calls"
        # Only these calls stop the server; -D: the server is our child, and not strace.
        tracer = (strace, "-D", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none",
                  "-e", "trace=fsync,fdatasync", "-o", str(calls))  # fmt: skip
        with running(server, installation, tracer=tracer) as now:
            for number in clients:
                load.warm_up(now.url, clients=number)
                server.wait_until_settled(installation)
                before = _calls(calls)
                answers = load.run(now.url, clients=number, seconds=_SECONDS)
                found[number] = (_calls(calls) - before) / answers.acknowledged
    return found


def _calls(file: Path) -> int:
    return file.read_text().count("sync(")


class _Turns:
    """Counts how often the direction turned from answers to a request."""

    def __init__(self) -> None:
        self.port = 0
        self.count = 0


@contextmanager
def _proxy(installation: Installation) -> Iterator[_Turns]:
    """A way to PostgreSQL on a port of loopback, that counts."""
    turns = _Turns()
    loop = asyncio.new_event_loop()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_unix_connection(str(installation.socket))
        # Whether what passed last was an answer.
        answered = True

        async def copy(
            source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_request: bool
        ) -> None:
            nonlocal answered
            try:
                while chunk := await source.read(65536):
                    turns.count += is_request and answered
                    answered = not is_request
                    target.write(chunk)
                    await target.drain()
            except ConnectionError:
                pass
            finally:
                target.close()

        with suppress(asyncio.CancelledError):
            await asyncio.gather(
                copy(reader, upstream[1], is_request=True),
                copy(upstream[0], writer, is_request=False),
            )

    server = loop.run_until_complete(asyncio.start_server(pass_on, "127.0.0.1", 0, backlog=256))
    turns.port = int(server.sockets[0].getsockname()[1])
    thread = threading.Thread(target=loop.run_forever, name="counting-proxy")
    thread.start()
    try:
        yield turns
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_end_others())
        loop.close()


async def _end_others() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
