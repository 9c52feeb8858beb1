"""Granian's worker processes, all accepting from one socket that outlives them.

Granian by itself gives each worker a socket of its own (SO_REUSEPORT): what waits to be
accepted by a worker that dies is lost with it, and a worker that dies twice within five
seconds takes the server along. docs/decisions/0004-sync-server.md has the measurements.
"""

from __future__ import annotations

import copyreg
import logging
import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from multiprocessing import reduction
from queue import SimpleQueue
from typing import Any

from granian._granian import SocketHolder
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from tradelog.in_hand import Application, RequestsInHand

logger = logging.getLogger(__name__)

#: How long requests in hand may take to finish once the server was told to stop.
STOP_SECONDS = 10

#: How long an answer may take from its end to its last byte on the wire.
_SENDING_SECONDS = 0.2

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

#: Of the answers, how many end their connection.
_PARTING = 1 / 64

#: Connections a worker may have open, idle ones too; far more than it has threads.
CONNECTIONS = 1024


class WorkersFailed(Exception):
    """No worker has come up; what it printed says why."""


def run_workers(listener: socket.socket, target: str, *, workers: int, threads: int) -> None:
    """Serve the WSGI application `target` (`module:name`) until SIGINT or SIGTERM.

    If the module has a function `leave`, a worker that stops calls it at its end.
    Requests in hand are finished, for STOP_SECONDS at most. A worker that dies is
    replaced; meanwhile what it would have accepted waits for the others. Raises
    WorkersFailed if none ever came up. Takes over the socket and the process's signals.
    """
    # Fresh processes: a forked one would inherit threads that are not there, and
    # locks and database connections that are not its own.
    multiprocessing.set_start_method("spawn", force=True)
    came_up = multiprocessing.RawValue("b", 0)
    server = _SharedSocketServer(
        listener,
        came_up,
        target=target,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        backpressure=CONNECTIONS,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        # Its warnings are about there being more threads than cores; they wait for databases.
        log_level=LogLevels.error,
    )
    threading.Thread(target=server.pass_signals_on, name="signals", daemon=True).start()
    try:
        server.serve(target_loader=partial(_load, came_up))
    except SystemExit:
        if not server.interrupt_signal:
            raise


class _SharedSocketServer(MPServer):
    def __init__(self, listener: socket.socket, came_up: Any, **options: Any) -> None:
        super().__init__(**options)
        self._listener = listener
        self._came_up = came_up
        self._signals: SimpleQueue[None] = SimpleQueue()

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        # A handler runs in the middle of whatever its thread does. Granian's sets an event
        # that this thread waits for, which takes a lock: a second signal (`make` passes on
        # what its whole group was sent) would wait for ever for the lock that the thread
        # holds while it takes note of the first.
        self.interrupt_signal = True
        self._signals.put(None)

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
        self.reload_signal = True
        self._signals.put(None)

    def pass_signals_on(self) -> None:
        """Wake the main loop for each signal, for ever."""
        while True:
            self._signals.get()
            self.main_loop_interrupt.set()

    def _init_shared_socket(self) -> None:
        self._listener.setblocking(False)
        # For every connection accepted from it: else an answer's second half waits 40 ms
        # for the client to acknowledge the first.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The holder closes what it is given when it goes.
        holder: Any = _holder(self._listener.detach(), False, self.backlog)
        self._shd = holder
        self._sso = None

    def _drop_shared_socket(self) -> None:
        self._shd = None

    def _spawn_worker(  # type: ignore[override]  # As its own subclass has it.
        self, idx: int, target: Any, callback_loader: Any
    ) -> Any:
        loader = partial(callback_loader, cores=_cores_of(idx))
        return super()._spawn_worker(idx, target, loader)

    def _respawn_workers(
        self, workers: Sequence[int], spawn_target: Any, target_loader: Any, delay: float = 0
    ) -> None:
        if not self._came_up.value:
            self._stop_workers()  # type: ignore[no-untyped-call]
            raise WorkersFailed("The worker processes do not start; what they printed says why.")
        super()._respawn_workers(workers, spawn_target, target_loader, delay)
        # Granian gives up over a worker that dies soon after it was replaced. Nobody
        # would start the service again, so we do not.
        self.respawned_wrks.clear()
        # One that died while others were being replaced may have gone unnoticed.
        workers_now: list[Any] = self.wrks
        if dead := [worker.idx for worker in workers_now if not worker.is_alive()]:
            self.interrupt_children.extend(dead)
            self.main_loop_interrupt.set()


def _cores_of(number: int) -> frozenset[int]:
    """The core that a worker of this server keeps to; none where the system has no say in it.

    One thread of a worker runs at a time (Python's lock), so one core is all it can use; on
    several, its threads take turns across the cores' caches, which costs half as much again
    (docs/performance.md).
    """
    if not hasattr(os, "sched_getaffinity"):
        return frozenset()
    cores = sorted(os.sched_getaffinity(0))
    # From another one in each server: several on a machine must not share the first.
    return frozenset([cores[(os.getpid() + number) % len(cores)]])


def _load(came_up: Any, target: str, *, cores: frozenset[int]) -> Application:
    """Load the application in a worker process, whose threads keep to these cores."""
    if cores:
        os.sched_setaffinity(0, cores)
    _let_each_other_finish()
    # What a terminal sends (Ctrl-C, its end) goes to a whole group; the workers are told by
    # their parent. A session and not only a group of their own: else the kernel would hang
    # up on those that stand still when the parent is killed.
    os.setsid()
    # Granian's own stop closes its threads first and waits for its connections then: a
    # request that comes between is never answered and holds back those that are in hand.
    # So the signals do not reach granian; a thread of ours waits for them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    in_hand = RequestsInHand()
    name_of_module, _, name = target.partition(":")
    module = import_module(name_of_module)
    application: Application = getattr(module, name)
    leave: Callable[[], None] = getattr(module, "leave", lambda: None)
    stop = partial(_leave_when_told, in_hand, leave)
    threading.Thread(target=stop, name="stop", daemon=True).start()
    threading.Thread(target=_leave_with_parent, name="parent-watch", daemon=True).start()
    came_up.value = 1
    return in_hand.counted(_parting(application))


def _let_each_other_finish() -> None:
    """Have threads that are woken wait until whoever runs has done with the core.

    By itself Linux lets them go first. On a worker's one core they would then find Python's lock
    held by the thread they have just stopped: twice the changes between threads, and a sixth
    more processor an alert (docs/performance.md).
    """
    if hasattr(os, "SCHED_BATCH"):
        # Who runs the machine may have forbidden it; it works without.
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _parting(application: Application) -> Application:
    """The application, now and then ending the connection that a request came on.

    Whichever worker is first takes all connections that are opened at once. Those that a
    client or a proxy keeps open would stay with it for ever, while the others have nothing to
    do; one that is opened anew goes to a worker that has time.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            # By chance: in turn, it could be the same connection's each time.
            if random.random() < _PARTING:
                headers = [*headers, ("Connection", "close")]
            return start_response(status, headers, *error)

        return application(environ, start)

    return answer


def _leave_when_told(in_hand: RequestsInHand, leave: Callable[[], None]) -> None:
    signal.sigwait(_STOP_SIGNALS)
    # The parent kills after STOP_SECONDS; what follows has the rest of them.
    in_hand.finish(patience=STOP_SECONDS / 2)
    try:
        leave()
    except Exception:
        logger.exception("A worker could not tidy up")
    time.sleep(_SENDING_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    # As a forked process ends: granian's threads are still there, and abort the
    # process if Python goes before them.
    os._exit(0)


def _leave_with_parent() -> None:
    """Leave when the parent was killed: an orphan would hold the port and be told nothing."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _holder(descriptor: int, is_unix: bool, backlog: int) -> SocketHolder:
    return SocketHolder(descriptor, is_unix, backlog)  # type: ignore[call-arg]  # its stub has none


def _pickle_holder(holder: Any) -> tuple[Callable[..., SocketHolder], tuple[Any, ...]]:
    descriptor, is_unix, backlog = holder.__getstate__()
    return _unpickle_holder, (reduction.DupFd(descriptor), is_unix, backlog)


def _unpickle_holder(descriptor: Any, is_unix: bool, backlog: int) -> SocketHolder:
    return _holder(descriptor.detach(), is_unix, backlog)


# Granian passes the descriptor's number, which only a forked process shares.
copyreg.pickle(SocketHolder, _pickle_holder)
