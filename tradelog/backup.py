"""Making a backup: both databases in one file, beside a running server or without one."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Callable
from pathlib import Path

import django
from django.conf import settings
from django.db import connections
from django.utils import timezone

from tradelog import database_copies
from tradelog.backup_file import Backup, file_of, workshop, write
from tradelog.databases import NAMES
from webhooks.pruning import paused


class CannotBackUp(Exception):
    """There is nothing to back up, or nowhere to put it; the message says why."""


def _silently(*args: object) -> None:
    pass


def back_up(
    to: Path | None = None,
    *,
    say: Callable[[str], object] = _silently,
    advance: Callable[[int], object] = _silently,
) -> tuple[Path, Backup]:
    """Copy both databases into one file: where it is, and what is in it.

    `to` names the file or a folder for it; without it, it goes to BACKUP_DIR under a name
    that tells the time. Every alert that was acknowledged before this was called is in
    it. Raises CannotBackUp, ClientFailed, OSError and what the databases raise.
    """
    made_at = timezone.now()
    target = _target(to, f"tradelog-{made_at:%Y%m%dT%H%M%SZ}.zip")
    with workshop(target.parent) as folder, paused():
        # The log first. An alert that comes in between is then missing from the log and
        # there in the main database, which is harmless; the other way round its entry would be
        # marked as completed, and its effect be missing.
        copies = {alias: _copy(alias, folder, say) for alias in ("wal", "default")}
        backup = Backup(made_at, _versions(), copies)
        write(target, backup, folder, advance)
    return target, backup


def _target(to: Path | None, name: str) -> Path:
    if to is None:
        folder: Path = settings.BACKUP_DIR
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / name
    target = to.absolute()
    if target.is_dir():
        return target / name
    # A folder that should be there and is not (nothing is mounted) must not become a file, which
    # the next backup would replace.
    folder = target.parent if target.suffix == ".zip" or target.is_file() else target
    if not folder.is_dir():
        raise CannotBackUp(f"There is no folder {folder}. A file's name ends in .zip.")
    return target


def _copy(alias: str, folder: Path, say: Callable[[str], object]) -> database_copies.Copied:
    say(f"Copying the {NAMES[alias]}.")
    vendor = connections[alias].vendor
    try:
        return database_copies.copy(alias, file_of(alias, vendor, folder))
    except database_copies.NothingThere:
        raise CannotBackUp(
            f"There is nothing to back up: the {NAMES[alias]} has no tables yet. "
            "`make serve` makes them."
        ) from None


def _versions() -> dict[str, str]:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    return {
        "tradelog": project["version"],
        "python": platform.python_version(),
        "django": django.get_version(),
    }
