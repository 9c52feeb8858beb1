"""`make chaos`: alerts come in while everything dies; then the tables are checked."""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
from tqdm import tqdm

from tests.chaos.checker import check, refused_yet_taken
from tests.chaos.faults import KINDS, Fault, Missed, schedule
from tests.chaos.load import Load
from tests.chaos.plan import alerts
from tests.chaos.result import Injected, Result, by_fault, summary, tidy
from tests.chaos.system import TOKEN, Broken, System
from tests.chaos.tables import read_tables, unsettled

#: Seconds within which an alert must be processed again after a fault, and a backlog drained.
RECOVERY_SECONDS = 60.0
DRAIN_SECONDS = 120.0

#: Seconds within which there must be something that a fault can harm.
_PATIENCE = 10.0

#: The service's commands that look for what does not add up.
AUDITS = ("reconcile_positions", "audit_trades --verify-chain")

_FINDINGS_SHOWN = 20


def run(
    folder: Path,
    *,
    seed: int,
    wanted_alerts: int,
    wanted_faults: int,
    seconds: float,
    clients: int = 16,
    resend_after: float = 0.5,
    most_pause: float = 0.8,
    park_seconds: int = 8,
    kinds: Sequence[Fault] = KINDS,
    audits: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> Result:
    """Send alerts and inject faults until there were as many of both as wanted, or `seconds`
    are over; wait until the log is drained; check the tables, and ask the service's own `audits`.

    After each fault the next one comes once alerts are processed again, and a pause of
    `most_pause` seconds at most.
    """
    result = Result(seed)
    with System(folder, park_seconds=park_seconds) as system:
        load = Load(system.port, TOKEN, alerts(seed), clients=clients, resend_after=resend_after)
        result.deliveries = load.ledger.deliveries
        try:
            system.start_server()
            system.wait_until_live()
            begun = time.monotonic()
            with load:
                storm = _Storm(system, load, result, say, until=begun + seconds)
                storm.rage(schedule(seed, wanted_faults, most_pause, kinds), wanted_faults)
                _wait_for_alerts(load, wanted_alerts, until=begun + seconds, say=say)
            result.load_seconds = time.monotonic() - begun
            if time.monotonic() > begun + seconds:
                say(f"Stopped after {seconds:.0f} s, before all was done that was wanted")
            say(f"{len(result.deliveries)} alerts sent; waiting for the log to drain")
            result.drain_seconds = _drain(system)
            _check(system, result)
            for audit in audits:
                _ask(system, result, audit)
            system.stop_server()
        except Broken as error:
            result.troubles.append(str(error))
    return result


def _wait_for_alerts(load: Load, wanted: int, *, until: float, say: Callable[[str], None]) -> None:
    told = time.monotonic()
    while len(load.ledger) < wanted and time.monotonic() < until:
        if time.monotonic() > told + 10:
            told = time.monotonic()
            say(f"{len(load.ledger)} of {wanted} alerts sent")
        time.sleep(0.1)


class _Storm:
    def __init__(
        self, system: System, load: Load, result: Result, say: Callable[[str], None], until: float
    ) -> None:
        self._system = system
        self._load = load
        self._result = result
        self._say = say
        self._until = until
        self._draws = random.Random(f"details {result.seed}")

    def rage(self, faults: Iterator[tuple[Fault, float]], count: int) -> None:
        """Inject faults one after the other, each after the system has recovered."""
        for fault, pause in tqdm(faults, total=count, disable=not sys.stderr.isatty()):
            if time.monotonic() > self._until:
                return
            time.sleep(pause)
            self._inject(fault)

    def _inject(self, fault: Fault) -> None:
        # There may be no worker for a moment, since the last fault's is not replaced yet.
        deadline = time.monotonic() + _PATIENCE
        while True:
            begun = time.monotonic()
            try:
                ended = fault.inject(self._system, self._draws)
                break
            except Missed:
                if time.monotonic() > deadline:
                    self._result.missed[fault.name] += 1
                    return
                time.sleep(0.2)
        back = self._load.ledger.wait_until_processed(after=ended, patience=RECOVERY_SECONDS)
        injected = Injected(fault.name, begun, ended, back)
        self._result.injected.append(injected)
        if injected.recovery is None:
            self._result.troubles.append(
                f"no alert was processed within {RECOVERY_SECONDS:.0f} s after: {fault.name}"
            )
        self._say(f"{len(self._result.injected):4} {injected}")


def _drain(system: System) -> float | None:
    """Seconds until nothing in the log waits for anything."""
    begun = time.monotonic()
    while time.monotonic() < begun + DRAIN_SECONDS:
        with closing(sqlite3.connect(system.log_path)) as log:
            if not unsettled(log):
                return time.monotonic() - begun
        time.sleep(0.1)
    return None


def _check(system: System, result: Result) -> None:
    with (
        psycopg.connect(system.database) as main,
        closing(sqlite3.connect(system.log_path)) as log,
    ):
        tables = read_tables(main, log)
    result.findings = check(result.deliveries, tables, park_seconds=system.park_seconds)
    result.refused_yet_taken = refused_yet_taken(result.deliveries, tables)


def _ask(system: System, result: Result, audit: str) -> None:
    """A second opinion: what a command of the service's own finds in its tables."""
    done = system.command(*audit.split())
    result.audits[audit] = done.returncode
    if done.returncode:
        result.troubles.append(f"{audit} found something:\n{done.stdout}{done.stderr}")


def _say(text: str) -> None:
    tqdm.write(text)
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one each time")
    parser.add_argument("--alerts", type=int, default=20_000, help="at least so many")
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1800, help="stop the load after these")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--resend-after", type=float, default=0.5, help="seconds; TradingView: 5")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="tradelog-chaos-"))
    print(f"SEED={seed} ALERTS={options.alerts} FAULTS={options.faults}", flush=True)
    try:
        result = run(
            folder,
            seed=seed,
            wanted_alerts=options.alerts,
            wanted_faults=options.faults,
            seconds=options.seconds,
            clients=options.clients,
            resend_after=options.resend_after,
            audits=AUDITS,
            say=_say,
        )
    except BaseException:
        print(f"Not finished; what there is was kept in {folder}")
        raise
    print(summary(result), by_fault(result), sep="\n\n")
    for line in [*result.troubles, *result.findings[:_FINDINGS_SHOWN]]:
        print(line)
    tidy(folder, result)
    sys.exit(not result.is_clean)


if __name__ == "__main__":
    main()
