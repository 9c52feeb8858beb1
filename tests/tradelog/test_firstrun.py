from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import environ
import pytest

from tests.server import ROOT
from tradelog.firstrun import write_env


@pytest.fixture
def lax_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def read(path: Path) -> dict[str, str]:
    environment: dict[str, str] = {}

    class Reader(environ.Env):
        ENVIRON = environment

    Reader.read_env(path)
    return environment


def test_secrets_are_fresh_and_good(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert write_env(first)
    assert write_env(second)

    settings = read(first)
    assert len(settings["SECRET_KEY"]) >= 50
    name, token = settings["WEBHOOK_TOKENS"].split(":")
    assert name == "tradingview"
    assert len(token) >= 40
    # Nothing else is set, and nothing is shared.
    assert settings.keys() == {"SECRET_KEY", "TRAIL_KEY", "WEBHOOK_TOKENS"}
    assert not set(settings.values()) & set(read(second).values())


def test_at_no_moment_can_others_read_it(
    tmp_path: Path, lax_umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    real_open = os.open

    def watched(path: str, flags: int, mode: int = 0o777) -> int:
        descriptor = real_open(path, flags, mode)
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        assert flags & os.O_EXCL
        return descriptor

    monkeypatch.setattr(os, "open", watched)
    write_env(tmp_path / ".env")

    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SECRET_KEY=mine\n")
    assert not write_env(tmp_path / ".env")
    assert (tmp_path / ".env").read_text() == "SECRET_KEY=mine\n"


def test_of_many_at_once_one_writes(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        written = list(threads.map(lambda _: write_env(tmp_path / ".env"), range(8)))
    assert sorted(written) == [False] * 7 + [True]
    assert [file.name for file in tmp_path.iterdir()] == [".env"]
    assert read(tmp_path / ".env").keys() == {"SECRET_KEY", "TRAIL_KEY", "WEBHOOK_TOKENS"}


def test_every_setting_it_suggests_exists(tmp_path: Path) -> None:
    write_env(tmp_path / ".env")
    suggested = {
        line.lstrip("#").partition("=")[0]
        for line in (tmp_path / ".env").read_text().splitlines()
        if "=" in line and " " not in line.partition("=")[0]
    }
    source = (ROOT / "tradelog" / "settings.py").read_text()
    assert "ALLOWED_HOSTS" in suggested
    assert not {name for name in suggested if f'"{name}"' not in source}
