"""`make bench`: this server, its floor, and what people run today, side by side.

Every way runs in every round, so whatever else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks import floor
from benchmarks.installation import Installation
from benchmarks.load import HOW_TO_INSTALL, Load
from benchmarks.measured import Run, measure_floor, measure_server
from benchmarks.served import PLAIN, QUEUE, TRADELOG, running
from benchmarks.table import table

SERVERS = {server.name: server for server in (TRADELOG, PLAIN, QUEUE)}
PARTS = (*SERVERS, "floor")


def run(
    installation: Installation,
    *,
    parts: tuple[str, ...],
    clients: tuple[int, ...],
    seconds: float,
    rounds: int,
    books: int,
    say: Callable[[str], object] = print,
) -> list[Run]:
    """Measure each part at each number of clients, `rounds` times. Raises Dishonest, NoLoad."""
    installation.add_strategies(books + max(clients))
    if "floor" in parts:
        floor.prepare(installation)
    next_alert = dict.fromkeys(SERVERS, 0)
    runs: list[Run] = []
    for number in range(1, rounds + 1):
        for part in parts:
            for one in _measure(installation, part, clients, seconds, books, next_alert):
                runs.append(one)
                say(
                    f"round {number}/{rounds}  {one.part:9} {one.clients:3} clients "
                    f"{one.throughput:8,.0f} alerts/s  p99 {one.p99:7.1f} ms"
                )
    return runs


def _measure(
    installation: Installation,
    part: str,
    clients: tuple[int, ...],
    seconds: float,
    books: int,
    next_alert: dict[str, int],
) -> Iterator[Run]:
    """One part at each number of clients; a server goes on with the alert where it ended."""
    if part == "floor":
        for count in clients:
            yield measure_floor(installation, clients=count, seconds=seconds, books=books)
        return
    server = SERVERS[part]
    with running(server, installation) as now:
        load = Load(now.url, books=books, first=next_alert[part])
        for count in clients:
            yield measure_server(installation, server, now, load, clients=count, seconds=seconds)
        next_alert[part] = load.next
        if not server.is_honest:
            now.kill()  # Else it would write the rest of its queue for minutes.


def machine() -> dict[str, object]:
    """What was measured on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        # Of others too: on a busy machine every figure is too low.
        "load_average_before": round(psutil.getloadavg()[0], 2),
    }


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(PARTS):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: the parts are {', '.join(PARTS)}")
    return names


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", type=_names, default=PARTS, help=f"of {','.join(PARTS)}")
    parser.add_argument("--clients", type=_numbers, default=(1, 4, 16, 64))
    parser.add_argument("--seconds", type=float, default=8, help="a run takes (default 8)")
    parser.add_argument("--runs", type=int, default=3, help="of each, interleaved (default 3)")
    parser.add_argument("--books", type=int, default=256, help="the alerts go to (default 256)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    if shutil.which("wrk") is None and options.only != ("floor",):
        sys.exit(HOW_TO_INSTALL)
    told = machine()
    folder = Path(tempfile.mkdtemp(prefix="tradelog-bench-"))
    try:
        installation = Installation(folder)
        runs = run(
            installation,
            parts=options.only,
            clients=options.clients,
            seconds=options.seconds,
            rounds=options.runs,
            books=options.books,
        )
        installation.cluster.release()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    options.json.write_text(
        json.dumps({"machine": told, "runs": [one.as_json() for one in runs]}, indent=1) + "\n"
    )
    print(f"\n{told['cores']} cores, {told['system']}; load before: {told['load_average_before']}")
    print(table(runs))
    print(f"All figures: {options.json}")


if __name__ == "__main__":
    main()
