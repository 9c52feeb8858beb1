"""`make serve`: both databases up and migrated, the first alert explained, the workers running."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connections

import metering
from data_folder import sole_server
from locks import held
from stopping import end_if_told
from tradelog import instructions
from tradelog.command_trouble import is_refusal, why
from tradelog.embedded import Cluster, ClusterError
from tradelog.workers import WorkersFailed, run_workers

logger = logging.getLogger(__name__)

#: Connections that wait to be accepted: a burst at a bar's close, with room.
BACKLOG = 1024

#: How long the workers of a killed server may still hold its port.
_LINGER_SECONDS = 15.0

_WATCH_SECONDS = 0.5

#: An advisory lock of a PostgreSQL that several hosts share: "tmig" in ASCII.
_MIGRATING = 0x746D6967


class CannotServe(Exception):
    """Serving cannot begin; the message says why and what to do."""


def serve(
    *,
    host: str,
    port: int,
    workers: int,
    threads: int,
    say: Callable[[str], None],
    quiet: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM, requests in hand then finished.

    `say` prints a text for the user; one that holds a token only if not `quiet`.
    Raises CannotServe, and InUse if another server has the data folder.
    """
    url = instructions.url(host, port)
    with (
        sole_server(settings.TRADELOG_DATA, url) as before_was_killed,
        listen(host, port, patience=_LINGER_SECONDS if before_was_killed else 0) as listener,
        _embedded_database(),
    ):
        _migrate_log()
        if trouble := _migrate_main():
            say(f"{trouble}\nUntil that is mended, alerts wait in the log.")
        say(f"tradelog is served at {url}" if quiet else instructions.text(url))
        _close_databases()
        if trouble:
            keep_trying = threading.Thread(
                target=_migrate_when_back, args=(trouble,), name="migrate", daemon=True
            )
            keep_trying.start()
        # Only now, when the port is ours: no worker of a killed server is left.
        settings.COUNTERS_FILE.unlink(missing_ok=True)
        try:
            metering.count_together(settings.TRADELOG_DATA / "metrics", workers=workers)
        except OSError as error:
            logger.warning("Metrics are of whichever worker is asked: %s", error)
        end_if_told()
        try:
            run_workers(listener, "tradelog.wsgi:application", workers=workers, threads=threads)
        except WorkersFailed as error:
            raise CannotServe(str(error)) from error


def listen(host: str, port: int, *, patience: float = 0) -> socket.socket:
    """A listening socket; waits up to `patience` seconds for a port that is still taken.

    Raises CannotServe.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            family, _, _, _, address = found[0]
            # Without SO_REUSEPORT, which would let two servers share a port unnoticed.
            return socket.create_server(address[:2], family=family, backlog=BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)  # Nothing tells when a port comes free.
                continue
            raise CannotServe(_why_not(error, host, port)) from error


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program. "
            f"Choose another one, for example: make serve PORT={port + 1}"
        )
    if error.errno == errno.EACCES:
        return (
            f"Port {port} is for root alone. Keep to 8000 and let a reverse proxy "
            "or a tunnel listen on 80 and 443 (README.md)."
        )
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"HOST is {host!r}, which is no address of this machine."
    return f"Cannot listen on {host}, port {port}: {error.strerror}."


@contextmanager
def _embedded_database() -> Iterator[None]:
    """Hold the embedded PostgreSQL, if it is ours to run, and start it again if it dies."""
    if not settings.EMBEDDED_POSTGRES:
        yield
        return
    cluster = Cluster(settings.TRADELOG_DATA / "postgres")
    try:
        cluster.hold()
    except ClusterError as error:
        raise CannotServe(str(error)) from error
    leaving = threading.Event()
    watch = threading.Thread(target=_keep_running, args=(cluster, leaving), name="postgres-watch")
    watch.start()
    try:
        yield
    finally:
        leaving.set()
        watch.join()


def _keep_running(cluster: Cluster, leaving: threading.Event) -> None:
    while not leaving.wait(_WATCH_SECONDS):
        if not cluster.is_running():
            logger.error("The embedded PostgreSQL has died; it is started again")
            try:
                cluster.start()
            except Exception:  # Nobody else starts it; the next time may go better.
                logger.exception("The embedded PostgreSQL does not come back")


def _migrate(alias: str) -> None:
    # Other hosts may migrate the same database; not where it is a file in our own folder.
    is_shared = connections[alias].vendor == "postgresql"
    with held(alias, _MIGRATING) if is_shared else nullcontext():
        call_command("migrate", database=alias, verbosity=0, interactive=False)


def _migrate_log() -> None:
    try:
        _migrate("wal")
    except DatabaseError as error:
        raise CannotServe(
            f"The write-ahead log cannot be opened: {why(error)}\n"
            "It is what WAL_DATABASE_URL names, or else a file in TRADELOG_DATA."
        ) from error


def _migrate_main() -> str:
    """Bring the main database up to date; what keeps it from that, "" if nothing does.

    Out of reach, or under a role that lacks a right, it can be mended while alerts wait.
    """
    try:
        _migrate("default")
    except DatabaseError as error:
        if is_refusal(error):
            return (
                f"The main database refuses to be migrated: {why(error)}. The role that "
                "DATABASE_URL names must own its tables, and may make new ones."
            )
        if isinstance(error, OperationalError):
            return f"The main database is out of reach: {why(error)}"
        raise
    return ""


def _migrate_when_back(told: str) -> None:
    # Alerts must be taken from the first second on, database or not.
    while trouble := _migrate_main():
        if trouble != told:
            logger.error(trouble)
        told = trouble
        time.sleep(_WATCH_SECONDS)
    logger.info("The database is back, and up to date")
    _close_databases()


def _close_databases() -> None:
    """The workers have connections of their own."""
    for connection in connections.all():
        connection.close()
        if close_pool := getattr(connection, "close_pool", None):
            close_pool()
