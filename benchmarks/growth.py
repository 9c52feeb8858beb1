"""What an alert costs as history, books, lots and the backlog grow.

`make bench WHAT=growth`: the service alone, each case on an installation that was filled for
it; then the replay of a backlog, and the pages people look at.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from benchmarks.backlog import replay_rate
from benchmarks.history import History, add_history
from benchmarks.installation import Installation, machine, temporary_installation
from benchmarks.load import HOW_TO_INSTALL, Load
from benchmarks.measured import Run, measure_server
from benchmarks.pages import measure_pages, table_of_pages
from benchmarks.served import TRADELOG, running
from benchmarks.table import table

WHAT = ("history", "books", "lots", "backlog", "pages")


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    history: History


def cases(what: str, most: int) -> list[Case]:
    """The cases of one kind; `most`: alerts of the longest history."""
    if what == "history":
        lengths = sorted({min(length, most) for length in (0, 100_000, most)})
        return [Case(f"{n:,} alerts", History(n, n // 5)) for n in lengths]
    if what == "books":
        return [
            Case(f"{books:,} books", History(2 * books, books, books=books))
            for books in (1, 16, 256, 10_000)
        ]
    return [
        Case(f"{lots} open lots", History(0, 0, books=64, open_lots=lots)) for lots in (1, 50, 200)
    ]


def measure(
    cases: Sequence[Case],
    filled: Callable[[History], Installation],
    *,
    clients: Sequence[int],
    seconds: float,
    rounds: int,
) -> list[Run]:
    """The service with that much in its tables, all cases in each round.

    Each on an installation of its own, of which one is served at a time.
    """
    runs = []
    installations = [filled(case.history) for case in cases]
    loads = [Load(books=case.history.books) for case in cases]
    for number in range(1, rounds + 1):
        for case, installation, load in zip(cases, installations, loads, strict=True):
            with running(TRADELOG, installation) as now:
                for several in clients:
                    run = measure_server(
                        installation, TRADELOG, now, load, clients=several, seconds=seconds
                    )
                    runs.append(replace(run, part=case.name))
                    print(f"round {number}/{rounds}  {runs[-1]}", flush=True)
    return runs


def _fill(held: ExitStack, history: History) -> Installation:
    """An installation with that history, until `held` lets go of it."""
    print(f"Making {history}", flush=True)
    installation = held.enter_context(temporary_installation())
    add_history(installation, history, show=sys.stderr.isatty())
    return installation


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench WHAT=growth", description=__doc__)
    parser.add_argument("--only", default=",".join(WHAT), help=f"of {','.join(WHAT)}")
    parser.add_argument("--clients", default="1,16")
    parser.add_argument("--seconds", type=float, default=8, help="a run takes (default 8)")
    parser.add_argument("--runs", type=int, default=3, help="of each (default 3)")
    parser.add_argument("--history", type=int, default=5_000_000, help="alerts (default 5000000)")
    parser.add_argument("--backlog", type=int, default=50_000, help="entries (default 50000)")
    parser.add_argument("--json", type=Path, default=Path("bench-growth.json"))
    options = parser.parse_args()
    only = options.only.split(",")
    clients = [int(number) for number in options.clients.split(",")]
    if unknown := set(only) - set(WHAT):
        parser.error(f"{', '.join(unknown)}: there are {', '.join(WHAT)}")
    if shutil.which("wrk") is None and set(only) - {"backlog", "pages"}:
        sys.exit(HOW_TO_INSTALL)
    told: dict[str, object] = {"machine": machine()}
    with ExitStack() as held:
        # The pages are looked at with the longest history, which takes minutes to make.
        filled = cache(partial(_fill, held))
        runs: list[Run] = []
        for what in ("lots", "books", "history"):
            if what in only:
                runs += measure(
                    cases(what, options.history), filled, clients=clients,
                    seconds=options.seconds, rounds=options.runs,
                )  # fmt: skip
        if runs:
            print(table(runs))
            told["runs"] = [run.as_json() for run in runs]
        if "pages" in only:
            pages = measure_pages(filled(History(options.history, options.history // 5)))
            print(table_of_pages(pages))
            told["pages"] = [page.as_json() for page in pages]
    if "backlog" in only:
        with temporary_installation() as installation:
            rate = replay_rate(installation, entries=options.backlog, books=256)
        print(f"replay_wal: {rate:,.0f} entries/s of a backlog of {options.backlog:,}")
        told["replay"] = {"entries": options.backlog, "per_second": rate}
    options.json.write_text(json.dumps(told, indent=1) + "\n")
    print(f"All figures: {options.json}")


if __name__ == "__main__":
    main()
