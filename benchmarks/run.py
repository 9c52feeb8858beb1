"""`make bench`: this server, its floor, and what people run today, side by side.

Every way runs in every round, so whatever else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import floor
from benchmarks.counted import Counted, count_floor, count_server
from benchmarks.installation import Installation, machine, temporary_installation
from benchmarks.load import HOW_TO_INSTALL, Load, NoLoad
from benchmarks.measured import Run, measure_floor, measure_server
from benchmarks.served import PLAIN, QUEUE, TRADELOG, running
from benchmarks.table import table

SERVERS = {server.name: server for server in (TRADELOG, PLAIN, QUEUE)}
PARTS = (*SERVERS, "floor")


@dataclass(slots=True)
class Bench:
    """The parts on one installation."""

    installation: Installation
    parts: tuple[str, ...]
    clients: tuple[int, ...]
    books: int
    say: Callable[[str], object] = print
    runs: list[Run] = field(default_factory=list)
    counts: list[Counted] = field(default_factory=list)
    _loads: dict[str, Load] = field(init=False)

    def __post_init__(self) -> None:
        self._loads = {part: Load(books=self.books) for part in self.parts}
        self.installation.add_strategies(self.books + max(self.clients))
        if "floor" in self.parts:
            floor.prepare(self.installation)

    def measure(self, *, seconds: float, rounds: int) -> None:
        """Every part at each number of clients, `rounds` times. Raises Dishonest, NoLoad."""
        for number in range(1, rounds + 1):
            for part in self.parts:
                for one in self._measure(part, seconds):
                    self.runs.append(one)
                    self.say(f"round {number}/{rounds}  {one}")

    def _measure(self, part: str, seconds: float) -> Iterator[Run]:
        if part == "floor":
            for clients in self.clients:
                yield measure_floor(
                    self.installation, clients=clients, seconds=seconds, books=self.books
                )
            return
        server = SERVERS[part]
        with running(server, self.installation) as now:
            for clients in self.clients:
                yield measure_server(
                    self.installation, server, now, self._loads[part],
                    clients=clients, seconds=seconds,
                )  # fmt: skip
            if not server.is_honest:
                now.kill()  # Else it would write the rest of its queue for minutes.

    def count(self) -> None:
        """Count what cannot be counted while it is timed; what cannot be had is left out."""
        for part in self.parts:
            self.say(f"counting round trips and fsyncs of {part}")
            try:
                self.counts += self._count(part)
            except NoLoad as error:
                self.say(f"not counted: {error}")

    def _count(self, part: str) -> list[Counted]:
        if part == "floor":
            return [
                count_floor(self.installation, clients=clients, books=self.books)
                for clients in self.clients
            ]
        server = SERVERS[part]
        return count_server(self.installation, server, self._loads[part], clients=self.clients)


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
    with temporary_installation() as installation:
        bench = Bench(installation, options.only, options.clients, options.books)
        bench.measure(seconds=options.seconds, rounds=options.runs)
        bench.count()
    options.json.write_text(
        json.dumps(
            {
                "machine": told,
                "runs": [run.as_json() for run in bench.runs],
                "counts": [counted.as_json() for counted in bench.counts],
            },
            indent=1,
        )
        + "\n"
    )
    print(f"\n{told['cores']} cores, {told['system']}; load before: {told['load_average_before']}")
    print(table(bench.runs, bench.counts))
    print(f"All figures: {options.json}")


if __name__ == "__main__":
    main()
