"""A data folder, which one server at a time has."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path


class InUse(Exception):
    """Another server has the folder, or its claim belongs to somebody else; the message says so."""


@contextmanager
def sole_server(data: Path, url: str) -> Iterator[bool]:
    """Be the one server of a data folder; yields whether the one before was killed.

    Raises InUse if another one runs. Its process ends the claim, however it ends.
    """
    try:
        claim = open_private(data / "serve.lock")
    except PermissionError as error:
        raise InUse(f"{error.filename} belongs to another user") from error
    with claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(
                f"tradelog is already being served from this folder ({claim.read().decode()})."
            ) from None
        before_was_killed = bool(claim.read())
        claim.seek(0)
        claim.truncate()
        try:
            claim.write(f"{url}, process {os.getpid()}".encode())
        except OSError as error:
            # Of a full disk it is not told which file there was no room for.
            raise OSError(error.errno, error.strerror, str(data / "serve.lock")) from error
        try:
            yield before_was_killed
        finally:
            claim.truncate(0)


def open_private(path: Path) -> FileIO:
    """Open a file for reading and writing, made with mode 600 if there is none."""
    return FileIO(owner_only(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC), "r+")


def owner_only(path: str | Path, flags: int) -> int:
    """The `opener` of a file that is made with mode 600."""
    return os.open(path, flags, 0o600)
