"""The floor: pgbench, with the durable effects of an alert and nothing else (floor.sql)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.installation import SYMBOL, Installation
from benchmarks.load import Answers, NoLoad
from tradelog import postgres_programs
from tradelog.embedded import PORT
from tradelog.postgres_programs import SUPERUSER

DATABASE = "floor"

_SCRIPT = Path(__file__).with_name("floor.sql")


def prepare(installation: Installation) -> None:
    """A copy of the service's tables, the log's beside them."""
    installation.copy_database(DATABASE)
    with installation.connect(DATABASE) as connection:
        # Migrating the main database noted the log's migrations too, and did nothing.
        connection.execute("DELETE FROM django_migrations WHERE app = 'wal'")
    installation.manage(
        *("migrate", "wal", "--database=wal", "--verbosity=0"),
        WAL_DATABASE_URL=installation.url(DATABASE),
    )


def run(
    installation: Installation, *, clients: int, seconds: float, books: int, host: str = ""
) -> Answers:
    """Run it; each client does one alert after the other. `host`: another way to the database."""
    place, port = host.split(":") if host else (str(installation.cluster.socket_directory), PORT)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *(postgres_programs.folder() / "pgbench", "--no-vacuum", "--protocol=prepared"),
                *(f"--file={_SCRIPT}", f"--client={clients}", f"--jobs={min(clients, 2)}"),
                *(f"--time={max(1, round(seconds))}", "--define=number=0"),
                *(f"--define=books={max(1, books // clients)}", f"--define=clients={clients}"),
                f"--define=symbol={SYMBOL}",
                *("--log", f"--log-prefix={folder}/log"),
                *(f"--host={place}", f"--port={port}", f"--username={SUPERUSER}", DATABASE),
            ],
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise NoLoad(f"pgbench failed:\n{done.stdout}{done.stderr}")
        return _answers(Path(folder), clients)


def _answers(folder: Path, clients: int) -> Answers:
    """From pgbench's own log: a line a transaction, its third word the latency in µs."""
    latencies: list[float] = []
    ends: list[float] = []
    for file in folder.iterdir():
        for line in file.read_text().splitlines():
            _, _, microseconds, _, second, microsecond = line.split()
            latencies.append(int(microseconds) / 1000)
            ends.append(int(second) + int(microsecond) / 1e6)
    seconds = max(ends) - (min(ends) - min(latencies) / 1000)
    number = len(latencies)
    latencies = sorted(_corrected(latencies, 1000 * seconds * clients / number))

    def percentile(share: float) -> float:
        return latencies[min(len(latencies) - 1, int(share * len(latencies)))]

    return Answers(
        seconds=seconds,
        by_status={200: number},
        p50=percentile(0.5),
        p95=percentile(0.95),
        p99=percentile(0.99),
        longest=latencies[-1],
    )


def _corrected(latencies: list[float], expected: float) -> Iterator[float]:
    """As wrk does: a client that waits sends nothing, so what it would have met is added."""
    for latency in latencies:
        yield latency
        if latency >= 2 * expected:
            unsent = latency - expected
            while unsent > expected:
                yield unsent
                unsent -= expected
