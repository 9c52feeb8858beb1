"""A cache that counts across worker processes without a server to run.

django-ratelimit needs a cache in which `add` and `incr` are atomic. Of Django's
own, the one in memory is not shared and those in files and in the database are
not atomic; the main database may be down besides. So the counts live in an LMDB
file of their own: memory that processes share, changed by one of them at a time. Where
several hosts share counts, CACHE_URL names a Valkey or Redis.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from typing import Any

import lmdb
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

#: Bytes the file may grow to; it takes what is written, and a count takes about 100.
_ROOM = 1 << 28

#: Keys looked at for each one that is added, so that what has expired does not pile up.
_SWEPT = 8


class SharedCounters(BaseCache):
    """Keys and values in one file; every change is one transaction.

    Counts are lost with the power, and that is all right: they are worth a minute. The file
    may not outlive it whole, so the server begins with a new one.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._path = location

    def add(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        name = self._name(key, version)
        with self._writing() as counts:
            if _live(counts.get(name)) is not None:
                return False
            counts.put(name, _stored(value, self._expiry(timeout)))
            _sweep(counts)
        return True

    def set(
        self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        with self._writing() as counts:
            counts.put(self._name(key, version), _stored(value, self._expiry(timeout)))

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a count; its expiry stays. Raises ValueError where there is none."""
        name = self._name(key, version)
        with self._writing() as counts:
            found = _live(counts.get(name))
            if found is None:
                raise ValueError(f"No count is kept under {key!r}.")
            count = int(found[0]) + delta
            counts.put(name, _stored(count, found[1]))
        return count

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        with _opened(self._path).begin() as counts:
            found = _live(counts.get(self._name(key, version)))
        return default if found is None else found[0]

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        name = self._name(key, version)
        with self._writing() as counts:
            found = _live(counts.get(name))
            if found is not None:
                counts.put(name, _stored(found[0], self._expiry(timeout)))
        return found is not None

    def delete(self, key: str, version: int | None = None) -> bool:
        name = self._name(key, version)
        with self._writing() as counts:
            was_there = _live(counts.get(name)) is not None
            counts.delete(name)
        return was_there

    def clear(self) -> None:
        environment = _opened(self._path)
        with environment.begin(write=True) as counts:
            counts.drop(environment.open_db(txn=counts), delete=False)

    def validate_key(self, key: str) -> None:
        """Nothing: memcached's limits, which Django asks for of every cache, are not LMDB's."""

    def _name(self, key: str, version: int | None) -> bytes:
        return self.make_and_validate_key(key, version).encode()

    def _writing(self) -> lmdb.Transaction:
        return _opened(self._path).begin(write=True)

    def _expiry(self, timeout: Any) -> float:
        expiry = self.get_backend_timeout(timeout)
        return float("inf") if expiry is None else expiry


#: Once a process: a file that is opened twice in one loses its locks.
_environments: dict[tuple[int, str], lmdb.Environment] = {}
_opening = threading.Lock()


def _opened(path: str) -> lmdb.Environment:
    place = (os.getpid(), path)
    if place not in _environments:
        with _opening:
            if place not in _environments:
                _environments[place] = lmdb.open(
                    path, map_size=_ROOM, subdir=False, mode=0o600, sync=False, max_readers=1024
                )
    return _environments[place]


def _stored(value: Any, expires: float) -> bytes:
    return pickle.dumps((value, expires))


def _live(stored: bytes | memoryview | None) -> tuple[Any, float] | None:
    """A value and when it expires, unless it has."""
    if stored is None:
        return None
    found: tuple[Any, float] = pickle.loads(stored)
    return found if found[1] > time.time() else None


#: By process: where the last look for expired keys ended.
_swept_to = b""


def _sweep(counts: lmdb.Transaction) -> None:
    """Delete what has expired of the next few keys."""
    global _swept_to
    cursor = counts.cursor()
    if not cursor.set_range(_swept_to):
        cursor.first()
    for _ in range(_SWEPT):
        if not cursor.key():
            break
        if _live(cursor.value()) is None:
            cursor.delete()  # The cursor is on the next one then.
        elif not cursor.next():
            break
    _swept_to = bytes(cursor.key())
