"""The file a backup is: a zip archive of both databases' copies, and a manifest of them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from data_folder import owner_only
from tradelog.database_copies import Copied

#: Raised when a file of this kind can no longer be read by who reads those before.
_FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_AT_ONCE: Final = 1 << 20

#: How a folder begins in which a backup is being made or read.
_WORKSHOP: Final = ".tradelog-backup-"
_LEFT_BEHIND_SECONDS: Final = 24 * 60 * 60

#: What the copies are called in the archive.
_STEMS: Final = {"wal": "log", "default": "main"}
_SUFFIXES: Final = {"sqlite": ".sqlite3", "postgresql": ".dump"}


#: What zipfile raises where a byte is not what it was; the last for a flag it does not know.
_DAMAGE: Final = (
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    struct.error,
    OverflowError,
    RuntimeError,
)


class BrokenBackup(Exception):
    """This file is no whole backup; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds."""

    #: UTC.
    made_at: datetime
    versions: dict[str, str]
    #: By database alias.
    copies: dict[str, Copied]


@contextmanager
def workshop(beside: Path) -> Iterator[Path]:
    """A folder in `beside` for nobody else, gone at the end.

    Those that killed processes have left there are removed, once they are a day old.
    """
    for left_behind in beside.glob(f"{_WORKSHOP}*"):
        if left_behind.stat().st_mtime < time.time() - _LEFT_BEHIND_SECONDS:
            shutil.rmtree(left_behind, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_WORKSHOP, dir=beside) as folder:
        yield Path(folder)


def file_of(alias: str, vendor: str, folder: Path) -> Path:
    """Where in a workshop the copy of a database lies."""
    return folder / f"{_STEMS[alias]}{_SUFFIXES[vendor]}"


def write(target: Path, backup: Backup, folder: Path, advance: Callable[[int], object]) -> None:
    """Write the copies that lie in the workshop `folder` as one file, for its owner alone.

    `target` is replaced once the file is whole and on disk. Calls `advance` with the
    number of bytes done since.
    """
    draft = folder / target.name
    with open(draft, "xb", opener=owner_only) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            parts = {
                alias: _add(archive, file_of(alias, copied.vendor, folder), advance)
                for alias, copied in backup.copies.items()
            }
            manifest = {
                "format": _FORMAT,
                "made_at": backup.made_at.isoformat(timespec="seconds"),
                "versions": backup.versions,
                "databases": {
                    alias: {**asdict(copied), **parts[alias]}
                    for alias, copied in backup.copies.items()
                },
            }
            archive.writestr(_MANIFEST, json.dumps(manifest, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    _sync(target.parent)


def unpack(path: Path, folder: Path, advance: Callable[[int], object]) -> Backup:
    """Put the copies of a backup into the workshop `folder`, each of them compared with its hash.

    Raises BrokenBackup. Calls `advance` with the number of bytes done since.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            if manifest["format"] != _FORMAT:
                raise BrokenBackup(
                    f"it was made by a newer tradelog: its format is {manifest['format']}, "
                    f"and this one reads {_FORMAT}"
                )
            copies = {}
            for alias in _STEMS:
                told = dict(manifest["databases"][alias])
                name, sha256 = told.pop("file"), told.pop("sha256")
                copies[alias] = Copied(**told)
                with archive.open(name) as source:
                    into = file_of(alias, copies[alias].vendor, folder)
                    with open(into, "xb", opener=owner_only) as file:
                        found = _copy_hashed(source, file, advance)
                if found != sha256:
                    raise BrokenBackup(f"{name} is not what was put in")
            return Backup(datetime.fromisoformat(manifest["made_at"]), manifest["versions"], copies)
    except _DAMAGE as error:
        raise BrokenBackup(f"it is cut off, damaged, or no backup at all ({error})") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # It points to a place before its own beginning.
            raise
        raise BrokenBackup("it is damaged") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenBackup(f"its manifest cannot be read ({error!r})") from error


def _add(archive: zipfile.ZipFile, copy: Path, advance: Callable[[int], object]) -> dict[str, Any]:
    # A dump is compressed already.
    packed = copy.suffix == _SUFFIXES["postgresql"]
    entry = zipfile.ZipInfo.from_file(copy, copy.name)
    entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as into, copy.open("rb") as source:
        return {"file": copy.name, "sha256": _copy_hashed(source, into, advance)}


def _copy_hashed(source: Any, into: Any, advance: Callable[[int], object]) -> str:
    sha256 = hashlib.sha256()
    while block := source.read(_AT_ONCE):
        sha256.update(block)
        into.write(block)
        advance(len(block))
    return sha256.hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
