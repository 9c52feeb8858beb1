"""wrk as the load generator: alerts that differ, each in its turn, and what it was answered."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("alerts.lua")

HOW_TO_INSTALL = "wrk is not installed: apt-get install wrk, or brew install wrk."


class NoLoad(Exception):
    """The load generator cannot run, or nobody answers it; the message says which."""


class NoAnswer(NoLoad):
    """Not one alert had one, in the whole run."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a load was answered. Latencies are in milliseconds."""

    seconds: float
    #: By HTTP status.
    by_status: dict[int, int]
    p50: float
    p95: float
    p99: float
    longest: float

    @property
    def acknowledged(self) -> int:
        """Alerts that were answered 2xx."""
        return sum(count for status, count in self.by_status.items() if 200 <= status < 300)

    @property
    def processed(self) -> int:
        """Alerts that were answered 200: they have had their effect."""
        return self.by_status.get(200, 0)

    @property
    def refused(self) -> int:
        return sum(self.by_status.values()) - self.acknowledged


class Load:
    """The alerts for one database: each run goes on with the next one where the last ended."""

    def __init__(self, *, books: int, first: int = 0) -> None:
        self._books = books
        self._next = first

    def warm_up(self, url: str, *, clients: int) -> None:
        """A second of load: connections are opened, and what is made once is made."""
        with suppress(NoAnswer):  # On a busy machine that takes longer.
            self.run(url, clients=clients, seconds=1)

    def run(self, url: str, *, clients: int, seconds: float) -> Answers:
        """Send as fast as answers come, each client one alert at a time. Raises NoLoad."""
        wrk = shutil.which("wrk")
        if wrk is None:
            raise NoLoad(HOW_TO_INSTALL)
        done = subprocess.run(
            [
                *(wrk, "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout=10s"),
                *("-s", str(_SCRIPT), url, "--", str(self._next), str(self._books)),
            ],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
        )
        told = next(
            (line[7:] for line in done.stdout.splitlines() if line.startswith("RESULT ")), None
        )
        if done.returncode or told is None:
            raise NoLoad(f"wrk failed:\n{done.stdout}{done.stderr}")
        result = json.loads(told)
        self._next = int(result["next"])
        troubles = {name: result[name] for name in ("connect", "read", "write", "timeout")}
        if any(troubles.values()):
            raise NoLoad(f"Of {clients} connections, {troubles} went wrong.")
        answers = Answers(
            seconds=result["seconds"],
            by_status={int(status): count for status, count in result["answered"].items()},
            p50=result["p50"],
            p95=result["p95"],
            p99=result["p99"],
            longest=result["max"],
        )
        if not answers.by_status:
            raise NoAnswer(f"No alert was answered in {seconds} s.")
        if not answers.acknowledged:
            raise NoLoad(f"No alert was acknowledged; the answers: {answers.by_status}")
        return answers
