"""`make chaos`: alerts come in while everything dies; then the tables are checked."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import psycopg
from tqdm import tqdm

from tests.chaos.checker import check, refused_yet_taken
from tests.chaos.faults import KINDS, KINDS_OF_SEVERAL, Fault, Missed, schedule
from tests.chaos.host import Broken, Host
from tests.chaos.load import Load
from tests.chaos.logs import unsettled
from tests.chaos.plan import alerts
from tests.chaos.result import Injected, Result, by_fault, summary, tidy
from tests.chaos.system import TOKEN, System
from tests.chaos.tables import Tables, read_tables

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
    hosts: int = 1,
    shares_log: bool = False,
    kinds: Sequence[Fault] = KINDS,
    audits: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> Result:
    """Send alerts and inject faults until there were as many of both as wanted, or `seconds`
    are over; wait until the logs are drained; check the tables, and ask the service's own `audits`.

    After each fault the next one comes once alerts are processed again, and a pause of
    `most_pause` seconds at most. Of several hosts the last one dies at the end of the load, and
    does not come back: what its own log still holds is replayed by somebody else.
    """
    result = Result(seed)
    with System(folder, park_seconds=park_seconds, hosts=hosts, shares_log=shares_log) as system:
        ports = [host.port for host in system.hosts]
        load = Load(ports, TOKEN, alerts(seed), clients=clients, resend_after=resend_after)
        result.deliveries = load.ledger.deliveries
        try:
            system.start()
            begun = time.monotonic()
            with load:
                storm = _Storm(system, load, result, say, until=begun + seconds)
                storm.rage(schedule(seed, wanted_faults, most_pause, kinds), wanted_faults)
                _wait_for_alerts(load, wanted_alerts, until=begun + seconds, say=say)
                if len(system.hosts) > 1:
                    system.hosts[-1].kill()
            result.load_seconds = time.monotonic() - begun
            if time.monotonic() > begun + seconds:
                say(f"Stopped after {seconds:.0f} s, before all was done that was wanted")
            say(f"{len(result.deliveries)} alerts sent; waiting until nothing waits")
            result.drain_seconds = _drain(system)
            _check(system, result)
            _ask(system, result, audits)
            for host in system.hosts:
                if host.is_running:
                    host.stop()
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
    """Seconds until nothing in any log waits for anything."""
    begun = time.monotonic()
    while time.monotonic() < begun + DRAIN_SECONDS:
        waiting = [host for host in _one_host_a_log(system) if unsettled(host.log)]
        if not waiting:
            return time.monotonic() - begun
        for host in waiting:
            if not host.is_running:
                host.command("replay_wal")
        time.sleep(0.1)
    return None


def _one_host_a_log(system: System) -> list[Host]:
    """One that can be asked about each log."""
    return list({host.log: host for host in reversed(system.hosts)}.values())


def _tables(system: System) -> Tables:
    """The databases at one moment, at which nothing waits.

    What a client had asked for before it went may have stood in the queue of a host that was
    just starting, and be applied now; so they are read until they say the same twice.
    """
    begun, before = time.monotonic(), None
    while True:
        _drain(system)
        with psycopg.connect(system.database) as main, ExitStack() as logs:
            tables = read_tables(main, [logs.enter_context(log.connect()) for log in system.logs])
        if tables == before:
            return tables
        if time.monotonic() > begun + DRAIN_SECONDS:
            raise Broken("the tables go on changing, though nobody sends anything")
        before = tables
        time.sleep(0.5)


def _check(system: System, result: Result) -> None:
    tables = _tables(system)
    result.findings = check(result.deliveries, tables, park_seconds=system.park_seconds)
    result.refused_yet_taken = refused_yet_taken(result.deliveries, tables)


def _ask(system: System, result: Result, audits: Sequence[str]) -> None:
    """A second opinion: what commands of the service's own find in its tables."""
    with ThreadPoolExecutor() as asking:
        asked = [
            (audit, asking.submit(host.command, *audit.split()))
            for audit, host in product(audits, _one_host_a_log(system))
        ]
    for audit, done in asked:
        found = done.result()
        result.audits[audit] = result.audits.get(audit, 0) or found.returncode
        if found.returncode:
            result.troubles.append(f"{audit} found something:\n{found.stdout}{found.stderr}")


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
    parser.add_argument("--hosts", type=int, default=1, help="on one PostgreSQL and one Valkey")
    parser.add_argument("--log", choices=("own", "shared"), default="own", help="of several hosts")
    parser.add_argument("--resend-after", type=float, default=0.5, help="seconds; TradingView: 5")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="tradelog-chaos-"))
    layout = f" HOSTS={options.hosts} LOG={options.log}" if options.hosts > 1 else ""
    print(f"SEED={seed} ALERTS={options.alerts} FAULTS={options.faults}{layout}", flush=True)
    try:
        result = run(
            folder,
            seed=seed,
            wanted_alerts=options.alerts,
            wanted_faults=options.faults,
            seconds=options.seconds,
            clients=options.clients,
            resend_after=options.resend_after,
            hosts=options.hosts,
            shares_log=options.hosts > 1 and options.log == "shared",
            kinds=KINDS_OF_SEVERAL if options.hosts > 1 else KINDS,
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
