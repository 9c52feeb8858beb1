"""Counts that hold across threads and cache objects."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tradelog.counters import SharedCounters, _opened


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "counters.lmdb")


def counters(path: str, **params: Any) -> SharedCounters:
    return SharedCounters(path, params)


def test_counting_loses_nothing(path: str) -> None:
    counters(path).add("requests", 0, timeout=60)

    def count(_: int) -> None:
        own = counters(path)
        for _ in range(50):
            own.incr("requests")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert counters(path).get("requests") == 400


def test_only_one_adds(path: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: counters(path).add("key", 1, timeout=60), range(8)))
    assert sorted(added) == [False] * 7 + [True]


def test_counting_leaves_the_expiry(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = counters(path)
    now = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    cache.add("requests", 1, timeout=60)
    now += 59
    assert cache.incr("requests") == 2
    now += 2
    assert cache.get("requests") is None
    with pytest.raises(ValueError, match="No count"):
        cache.incr("requests")
    assert cache.add("requests", 1, timeout=60)


def test_other_values_are_kept_too(path: str) -> None:
    cache = counters(path)
    cache.set("settings", {"a": [1, "b"]}, timeout=None)
    assert cache.get("settings") == {"a": [1, "b"]}
    assert cache.touch("settings", 60)
    assert cache.delete("settings")
    assert cache.get("settings", "gone") == "gone"


def test_clear(path: str) -> None:
    cache = counters(path)
    cache.set("a", 1)
    cache.clear()
    assert not cache.has_key("a")


def test_what_has_expired_does_not_pile_up(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = counters(path)
    now = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    for number in range(1000):
        cache.add(f"stranger-{number}", 1, timeout=60)
    now += 61
    for number in range(1000, 1200):
        cache.add(f"stranger-{number}", 1, timeout=60)
    with _opened(path).begin() as counts:
        assert counts.stat()["entries"] == 200
    assert cache.get("stranger-1100") == 1


def test_memcached_has_no_say_in_keys(path: str) -> None:
    cache, key = counters(path), f"a key with spaces {'x' * 300}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.add(key, 1, timeout=60)
        assert cache.incr(key) == 2
