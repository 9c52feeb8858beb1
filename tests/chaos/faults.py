"""What is done to the system while alerts come in. Each fault happens for real.

A fault is a function that begins, holds and ends it. It returns the moment of its end, the
one from which recovery is counted: the operator has done his part, or the outside world
behaves again. It raises Missed where it found nothing to harm.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from signal import SIGQUIT

import psutil

from tests.chaos.host import Broken, Host, end_stopped
from tests.chaos.logs import unsettled
from tests.chaos.system import LEASE_SECONDS, System
from tests.processes import kill_all


class Missed(Exception):
    """There was nothing to harm at that moment; the fault does not count."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault."""

    name: str
    #: Done to the system; the draws decide details such as which worker it meets.
    inject: Callable[[System, random.Random], float]
    #: Whether it needs the proxy between server and PostgreSQL.
    needs_proxy: bool = False


def schedule(
    seed: int, count: int, most_pause: float, kinds: Sequence[Fault]
) -> Iterator[tuple[Fault, float]]:
    """`count` faults, each kind as often as the others, with seconds to pause before each.

    One host moves behind the proxy in the middle; kinds that need it come after that. Several
    are there from the beginning.
    """
    draws = random.Random(f"faults {seed}")
    if LOSE_HOST in kinds:
        anywhen = [kinds[number % len(kinds)] for number in range(count)]
        draws.shuffle(anywhen)
        for kind in anywhen:
            yield kind, draws.uniform(0, most_pause)
        return
    others = [kind for kind in kinds if kind is not STOP]
    draws.shuffle(others)
    # The move is the first of the stops.
    planned = [[STOP, *others][number % len(kinds)] for number in range(1, count)]
    draws.shuffle(planned)
    anywhere = [kind for kind in planned if not kind.needs_proxy]
    early = anywhere[: count // 2]
    late = anywhere[count // 2 :] + [kind for kind in planned if kind.needs_proxy]
    draws.shuffle(late)
    for kind in (*early, MOVE, *late)[:count]:
        yield kind, draws.uniform(0, most_pause)


# --- Processes ---


def _kill_worker(system: System, draws: random.Random) -> float:
    _one_of(system.workers(), draws).kill()
    return time.monotonic()


def _freeze_worker(system: System, draws: random.Random) -> float:
    """Stopped for longer than its claims hold: others take its entries, then it goes on."""
    worker = _one_of(system.workers(), draws)
    worker.suspend()
    time.sleep(LEASE_SECONDS + 0.5)
    end_stopped(worker)
    return time.monotonic()


def _kill_server(system: System, draws: random.Random) -> float:
    host = draws.choice(system.hosts)
    host.kill()
    time.sleep(draws.uniform(0, 0.5))
    return _start(system, host)


def _stop_server(system: System, draws: random.Random) -> float:
    host = draws.choice(system.hosts)
    host.stop()
    return _start(system, host)


def _move_behind_proxy(system: System, draws: random.Random) -> float:
    """Stopped and started as above; it reaches PostgreSQL another way from then on."""
    (host,) = system.hosts
    host.stop()
    system.connect_through_proxy()
    return _start(system, host)


def _start(system: System, *hosts: Host) -> float:
    begun = time.monotonic()
    system.start(hosts)
    return begun


def _one_of(processes: list[psutil.Process], draws: random.Random) -> psutil.Process:
    if not processes:
        raise Missed
    return draws.choice(processes)


# --- PostgreSQL ---


def _stop_database(system: System, draws: random.Random) -> float:
    """As `pg_ctl stop -m immediate` does: no checkpoint, recovery at the next start."""
    _postmaster(system).send_signal(SIGQUIT)
    return _database_back(system, draws)


def _kill_database(system: System, draws: random.Random) -> float:
    _kill_all_of_postgres(system)
    return _database_back(system, draws)


def _kill_backend(system: System, draws: random.Random) -> float:
    """PostgreSQL then ends all its other connections and recovers by itself."""
    backends = [process for process in _postgres(system)[1:] if _is_backend(process)]
    try:
        _one_of(backends, draws).kill()
    except psutil.NoSuchProcess:
        raise Missed from None
    return time.monotonic()


def _power_cut(system: System, draws: random.Random) -> float:
    _kill_all_of_postgres(system)
    for host in system.hosts:
        host.kill()
    system.bring_database_back()
    return _start(system, *system.hosts)


def _database_away_worker_killed(system: System, draws: random.Random) -> float:
    """What waits in the log meanwhile belongs to a dead process when the database is back."""
    _kill_all_of_postgres(system)
    time.sleep(draws.uniform(0.1, 0.4))
    _one_of(system.workers(), draws).kill()
    return _database_back(system, draws)


def _database_back(system: System, draws: random.Random) -> float:
    """The server starts its own PostgreSQL again; another one stays away for a while."""
    if system.is_through_proxy:
        time.sleep(draws.uniform(0.3, 2.5))
    begun = time.monotonic()
    system.bring_database_back()
    return begun


def _postgres(system: System) -> list[psutil.Process]:
    try:
        return system.postgres_processes()
    except (OSError, psutil.NoSuchProcess):
        raise Missed from None


def _postmaster(system: System) -> psutil.Process:
    return _postgres(system)[0]


def _kill_all_of_postgres(system: System) -> None:
    kill_all(_postgres(system))


def _is_backend(process: psutil.Process) -> bool:
    try:
        return "[local]" in " ".join(process.cmdline())
    except psutil.Error:
        return False


# --- The line to PostgreSQL ---


def _cut_connections(system: System, draws: random.Random) -> float:
    if not system.proxy.cut():
        raise Missed
    return time.monotonic()


def _stall_connections(system: System, draws: random.Random) -> float:
    """Nothing passes for a while, then everything does."""
    system.proxy.stall(requests=True)
    time.sleep(draws.uniform(0.3, 4))
    if not system.proxy.resume():
        raise Missed
    return time.monotonic()


def _lose_answers(system: System, draws: random.Random) -> float:
    """Requests reach PostgreSQL, commits too; no answer comes back, and the line is cut."""
    system.proxy.stall(requests=False)
    time.sleep(draws.uniform(0.1, 3))
    system.proxy.cut()
    if not system.proxy.resume():
        raise Missed
    return time.monotonic()


# --- The log ---


def _lock_log(system: System, draws: random.Random) -> float:
    """Another program keeps a log locked for longer than appends wait for it."""
    try:
        with draws.choice(system.logs).locked():
            time.sleep(draws.uniform(0.5, 2.5))
    except OSError:
        raise Missed from None
    return time.monotonic()


def _refuse_writes(system: System, draws: random.Random) -> float:
    """Every write of the workers to any file fails (EFBIG), as on a disk that is full."""
    limited = []
    for worker in system.workers():
        with suppress(psutil.NoSuchProcess):
            usual = worker.rlimit(psutil.RLIMIT_FSIZE)
            worker.rlimit(psutil.RLIMIT_FSIZE, (0, usual[1]))
            limited.append((worker, usual))
    time.sleep(draws.uniform(0.5, 1.5))
    for worker, usual in limited:
        with suppress(psutil.NoSuchProcess):
            worker.rlimit(psutil.RLIMIT_FSIZE, usual)
    if not limited:
        raise Missed
    return time.monotonic()


# --- One host of several ---


def _lose_host(system: System, draws: random.Random) -> float:
    """A host dies with alerts in its log, while PostgreSQL is away; its folder is left.

    Somebody else replays a log of its own; with a shared one the others go on. Then there is
    a host again that has this folder.
    """
    host = draws.choice(system.hosts)
    _kill_all_of_postgres(system)
    time.sleep(draws.uniform(0.3, 0.8))
    host.kill()
    system.bring_database_back()
    if len(system.logs) > 1:
        replayed = host.command("replay_wal")
        if unsettled(host.log, parked=False):
            raise Broken(f"The log of a lost host was not replayed:\n{replayed.stderr}")
    return _start(system, host)


STOP = Fault("server stopped under load", _stop_server)
MOVE = Fault(STOP.name, _move_behind_proxy)

KINDS = [
    Fault("worker killed", _kill_worker),
    Fault("worker frozen past its lease", _freeze_worker),
    Fault("server killed", _kill_server),
    STOP,
    Fault("server and PostgreSQL killed", _power_cut),
    Fault("PostgreSQL stopped (immediate)", _stop_database),
    Fault("PostgreSQL killed", _kill_database),
    Fault("PostgreSQL backend killed", _kill_backend),
    Fault("PostgreSQL and a worker killed", _database_away_worker_killed),
    Fault("connections cut", _cut_connections, needs_proxy=True),
    Fault("connections stalled", _stall_connections, needs_proxy=True),
    Fault("answers lost, then cut", _lose_answers, needs_proxy=True),
    Fault("log locked", _lock_log),
]
if sys.platform == "linux":  # Nowhere else can another process's limits be set.
    KINDS.append(Fault("writes to disk refused", _refuse_writes))

LOSE_HOST = Fault("host lost, then replaced", _lose_host)

#: With several hosts; those that one host meets as well, and its own.
KINDS_OF_SEVERAL = [*KINDS, LOSE_HOST]
