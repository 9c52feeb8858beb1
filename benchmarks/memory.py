"""What a worker takes when nothing happens: `make bench WHAT=memory`.

After the start, and again some seconds after a load, since what a load made a process
take it mostly keeps.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import dataclass

from tabulate import tabulate

from benchmarks.installation import temporary_installation
from benchmarks.load import HOW_TO_INSTALL, Load
from benchmarks.served import TRADELOG, Running, running

#: What a worker should stay under, in MiB.
TARGET_MIB = 150


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB of one process."""

    moment: str
    process: str
    #: What it alone holds: freed if it ended.
    uss: float
    #: With what it shares with others.
    rss: float


def read_memory(now: Running, moment: str) -> list[Memory]:
    """Of each of the server's processes."""
    workers = {process.pid for process in now.workers()}
    found = []
    for process in now.processes():
        full = process.memory_full_info()
        kind = "worker" if process.pid in workers else "master"
        if "resource_tracker" in " ".join(process.cmdline()):
            kind = "Python's resource tracker"
        found.append(Memory(moment, kind, full.uss / 2**20, full.rss / 2**20))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench WHAT=memory", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="of load (default 8)")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit(HOW_TO_INSTALL)
    with temporary_installation() as installation:
        installation.add_strategies(256)
        with running(TRADELOG, installation) as now:
            found = read_memory(now, "started")
            Load(books=256).run(now.url, clients=64, seconds=options.seconds)
            TRADELOG.wait_until_settled(installation)
            time.sleep(5)
            found += read_memory(now, "idle after 64 clients")
    rows = [(one.moment, one.process, f"{one.uss:.0f}", f"{one.rss:.0f}") for one in found]
    print(tabulate(rows, ("when", "process", "USS MiB", "RSS MiB")))
    most = max(one.uss for one in found if one.process == "worker")
    print(f"The largest worker: {most:.0f} MiB of its own; {TARGET_MIB} is the aim.")


if __name__ == "__main__":
    main()
