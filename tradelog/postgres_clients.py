"""pg_dump, pg_restore and psql, from the PATH or from the embedded server's wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connections
from psycopg import pq
from psycopg.conninfo import make_conninfo

from tradelog import postgres_programs
from tradelog.postgres_programs import ClusterError


class ClientFailed(RuntimeError):
    """A client program is missing or has failed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Clients:
    """The client programs of one installation of PostgreSQL."""

    folder: Path
    #: Their major version.
    version: int

    def run(self, program: str, *args: str, at: str | None = None, **options: Any) -> None:
        """Run a program to its end, connected to the database alias `at` if one is named.

        Raises ClientFailed with what it printed where it fails.
        """
        environment: Mapping[str, str] = os.environ
        if at is not None:
            address, secret = _address_of(at)
            # A password among the arguments would be everybody's to read.
            environment = {**os.environ, **secret}
            args = (f"--dbname={address}", *args)
        try:
            done = subprocess.run(
                [self.folder / program, *args],
                env={**environment, "LC_ALL": "C"},
                umask=0o077,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                **{"stdout": subprocess.DEVNULL, **options},
            )
        except OSError as error:
            raise ClientFailed(f"{self.folder / program} cannot be run: {error}") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise ClientFailed(f"{program} failed: {said}")


def available() -> list[Clients]:
    """What this machine has; the PATH's before the wheel's, which cannot speak TLS."""
    folders = []
    if on_path := shutil.which("pg_dump"):
        folders.append(Path(on_path).parent)
    with suppress(ClusterError):
        folders.append(postgres_programs.folder())
    found = [(folder, _version_of(folder)) for folder in folders]
    return [Clients(folder, version) for folder, version in found if version is not None]


def clients_for(version: int, found: Sequence[Clients]) -> Clients:
    """The oldest programs that understand this major version of PostgreSQL.

    Not the newest: what they write, an older server may not understand. Raises
    ClientFailed if all are too old.
    """
    fitting = [clients for clients in found if clients.version >= version]
    if fitting:
        return min(fitting, key=lambda clients: clients.version)
    too_old = ", ".join(f"{one.folder / 'pg_dump'} is of {one.version}" for one in found)
    raise ClientFailed(
        f"This needs pg_dump, pg_restore and psql of PostgreSQL {version} or later, and "
        f"{too_old or 'there are none'}. Install PostgreSQL's client programs so that they are "
        f"on the PATH (Debian, Ubuntu: the package postgresql-client-{version})."
    )


def _version_of(folder: Path) -> int | None:
    """The major version of the programs in a folder; None if they do not run."""
    try:
        told = subprocess.run(
            [folder / "pg_dump", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\) (\d+)", told)
    return int(found[1]) if found else None


def _address_of(alias: str) -> tuple[str, dict[str, str]]:
    """How to reach a database: a connection string, and what of it goes by the environment."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    wanted = connections[alias].get_connection_params()
    address = {name: value for name, value in wanted.items() if name in known}
    password = address.pop("password", None)
    return make_conninfo(**address), {"PGPASSWORD": str(password)} if password else {}
