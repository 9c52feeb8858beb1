"""Backups of a served installation, restored by real processes and compared row by row."""

from __future__ import annotations

import itertools
import json
import sqlite3
import stat
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.installation import Contents, contents, done, manage, with_embedded_server
from tests.server import Server
from tradelog.backup_file import file_of, unpack, write
from tradelog.embedded import Cluster


def ignore(number: int) -> None:
    pass


@dataclass
class Original:
    """An installation that was backed up twice, its server running."""

    at_rest: Path
    #: What the databases held then.
    held: tuple[Contents, Contents]
    #: Made while alerts were coming in.
    under_load: Path
    #: The order times of those that were acknowledged before it was begun.
    acknowledged: list[str]
    #: How a restore beside the running server ended.
    beside_server: subprocess.CompletedProcess[str]
    #: What the first backup printed.
    told: str


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    folder = tmp_path_factory.mktemp("original") / "data"
    environment = {**with_embedded_server(folder), "PARK_SECONDS": "36000"}
    backups = folder.parent / "backups"
    try:
        with Server(**environment) as server:
            assert server.post().http == 200
            assert server.post()["status"] == "duplicate"
            assert server.post(action="sell", price="110.123456789012345678").http == 200
            assert server.post("no JSON").http == 400
            assert server.post(action="exit", symbol="LATER")["status"] == "parked"
            _wait_until_marked(folder)
            held = contents(folder)
            told = done(manage("backup", **environment))
            (at_rest,) = backups.iterdir()
            beside = manage("restore", "--yes", str(at_rest), **environment)
            under_load = folder.parent / "under load.zip"
            acknowledged = _post_meanwhile(
                server, lambda: done(manage("backup", "--to", str(under_load), **environment))
            )
        yield Original(at_rest, held, under_load, acknowledged, beside, told)
    finally:
        Cluster(folder / "postgres").stop()


def _wait_until_marked(folder: Path) -> None:
    """The marks of settled entries come after the answers, if only by a moment."""
    with closing(sqlite3.connect(folder / "wal.sqlite3")) as log:
        while log.execute("SELECT 1 FROM webhook_wal WHERE status = 'processing'").fetchone():
            pass


def _post_meanwhile(server: Server, action: Callable[[], object]) -> list[str]:
    """Post alerts while something happens; which were acknowledged before it began."""
    moments = (f"2026-02-{day:02}T{hour:02}:{minute:02}:00Z" for day, hour, minute in _TIMES)
    acknowledged: list[str] = []
    enough, over = threading.Event(), threading.Event()

    def post_all_the_time() -> None:
        while not over.is_set():
            with lock:
                moment = next(moments)
            assert server.post(time=moment).http == 200
            acknowledged.append(moment)
            if len(acknowledged) >= 20:
                enough.set()

    lock = threading.Lock()
    with ThreadPoolExecutor(2) as threads:
        posting = [threads.submit(post_all_the_time) for _ in range(2)]
        try:
            assert enough.wait(60)
            before = list(acknowledged)
            action()
        finally:
            over.set()
        for one in posting:
            one.result()
    assert len(acknowledged) > len(before) + 5
    return before


_TIMES = itertools.product(range(1, 29), range(24), range(60))


@pytest.fixture(scope="module")
def restored(
    original: Original, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """An empty data folder after the first backup was restored into it, and what that printed."""
    folder = tmp_path_factory.mktemp("restored") / "data"
    cluster = Cluster(folder / "postgres")
    try:
        told = done(manage("restore", str(original.at_rest), **with_embedded_server(folder)))
        cluster.hold()  # So that not each process starts and stops it.
        yield folder, told
    finally:
        cluster.release()
        cluster.stop()


def test_everything_comes_back_into_an_empty_folder(
    original: Original, restored: tuple[Path, str]
) -> None:
    folder, told = restored
    main, log = contents(folder)
    assert main == original.held[0]
    assert log == original.held[1]
    assert len(main["trades"]) == 1
    assert "110.123456789012345678" in main["trades"][0]
    assert len(log["webhook_wal"]) == 5
    assert "make serve" in told
    # Each table with its rows: the log is told last.
    assert told.split()[told.split().index("webhook_wal") + 1] == "5"
    assert [path.name for path in folder.glob(".tradelog*")] == []


def test_what_a_backup_is(original: Original) -> None:
    assert stat.S_IMODE(original.at_rest.stat().st_mode) == 0o600
    assert stat.S_IMODE(original.at_rest.parent.stat().st_mode) == 0o700
    assert original.at_rest.name in original.told
    assert [path.name for path in original.under_load.parent.glob(".*")] == []
    with zipfile.ZipFile(original.at_rest) as archive:
        assert archive.namelist() == ["log.sqlite3", "main.dump", "manifest.json"]
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["databases"]["wal"]["rows"]["webhook_wal"] == 5
    assert manifest["databases"]["default"]["rows"]["webhook_logs"] == 4


def test_not_beside_a_running_server(original: Original) -> None:
    assert original.beside_server.returncode == 1
    assert "already being served from this folder" in original.beside_server.stderr
    assert "nothing was changed" in original.beside_server.stderr


def test_what_was_acknowledged_is_there_exactly_once(
    original: Original, restored: tuple[Path, str]
) -> None:
    folder, _ = restored
    environment = {**with_embedded_server(folder), "PARK_SECONDS": "36000"}
    before = contents(folder)
    refused = manage("restore", str(original.under_load), **environment)
    assert refused.returncode == 1
    assert "--yes overwrites it" in refused.stderr
    assert "4 in webhook_logs" in refused.stderr
    assert contents(folder) == before

    done(manage("restore", "--yes", str(original.under_load), **environment))
    done(manage("replay_wal", **environment))
    assert done(manage("reconcile_positions", **environment)) == "Everything adds up.\n"
    main, _ = contents(folder)
    for moment in original.acknowledged:
        told = moment.replace("T", " ").removesuffix("Z")
        assert sum(told in row for row in main["open_positions"]) == 1


def test_a_broken_file_is_recognised_before_anything_changes(
    original: Original, tmp_path: Path
) -> None:
    file = tmp_path / "broken.zip"
    file.write_bytes(original.at_rest.read_bytes()[:-2000])
    ended = manage("restore", "--yes", str(file), **with_embedded_server(tmp_path / "data"))
    assert ended.returncode == 1
    assert "no whole backup" in ended.stderr
    assert "Nothing was changed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["serve.lock"]


def rewritten(original: Path, folder: Path, alias: str, **changes: Any) -> Path:
    """A backup that tells something else of one of its databases."""
    work = folder / "work"
    work.mkdir()
    backup = unpack(original, work, ignore)
    was = backup.copies[alias]
    becomes = replace(was, **changes)
    file_of(alias, was.vendor, work).rename(file_of(alias, becomes.vendor, work))
    copies = {**backup.copies, alias: becomes}
    write(folder / "rewritten.zip", replace(backup, copies=copies), work, ignore)
    return folder / "rewritten.zip"


def test_a_newer_tradelogs_backup_is_refused(original: Original, tmp_path: Path) -> None:
    migrations = ["trades.0001_initial", "trades.0999_later"]
    file = rewritten(original.at_rest, tmp_path, "default", migrations=migrations)
    with pytest.raises(
        CommandError, match=r"newer tradelog, with the migration trades\.0999_later"
    ):
        call_command("restore", str(file), stdout=StringIO())


def test_a_log_of_another_kind_is_refused(original: Original, tmp_path: Path) -> None:
    file = rewritten(original.at_rest, tmp_path, "wal", vendor="postgresql")
    message = "log is a PostgreSQL, and WAL_DATABASE_URL names a SQLite file"
    with pytest.raises(CommandError, match=message):
        call_command("restore", str(file), stdout=StringIO())


def test_a_copy_that_cannot_be_read_is_refused(original: Original, tmp_path: Path) -> None:
    with zipfile.ZipFile(original.at_rest) as archive:
        dump = archive.read("main.dump")
    work = tmp_path / "work"
    work.mkdir()
    backup = unpack(original.at_rest, work, ignore)
    (work / "main.dump").write_bytes(dump[:4] + b"\xff" + dump[5:])
    write(tmp_path / "bad.zip", backup, work, ignore)
    with pytest.raises(CommandError, match="main database cannot be read: pg_restore failed"):
        call_command("restore", str(tmp_path / "bad.zip"), stdout=StringIO())
