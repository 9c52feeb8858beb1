"""Backups from and to database servers that are not the embedded one."""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from positions.models import Lot
from tests.alerts import Poster
from tests.damage import tables
from tests.installation import Elsewhere, done, manage, of_postgresql, of_sqlite
from tests.server import databases_of_this_run
from tradelog import database_copies
from tradelog.backup import back_up
from tradelog.postgres_clients import ClientFailed, Clients, clients_for
from wal.models import Entry


def test_an_external_server_and_a_log_that_nobody_can_read(post: Poster, tmp_path: Path) -> None:
    post()
    post(action="sell", price="110", time="2026-01-05T15:00:00Z")
    post("no JSON")
    Session.objects.create(session_key="key", session_data="x", expire_date=timezone.now())
    here = databases_of_this_run()
    file = tmp_path / "backup.zip"
    back_up(file)
    data = tmp_path / "data"
    data.mkdir()
    (data / "wal.sqlite3").write_bytes(b"garbage" * 1000)
    with Elsewhere("restored") as main:
        there = {"DATABASE_URL": main.url, "WAL_DATABASE_URL": "", "TRADELOG_DATA": str(data)}
        refused = manage("restore", str(file), **there)
        assert refused.returncode == 1
        assert "the write-ahead log cannot be read" in refused.stderr
        assert of_postgresql(main.url).keys() == {"sequences"}

        done(manage("restore", "--yes", str(file), **there))
        found = of_postgresql(main.url)
        # A session's key would let in whoever reads the backup.
        assert found.pop("django_session") == []
        expected = of_postgresql(here["DATABASE_URL"])
        assert len(expected.pop("django_session")) == 1
        assert found == expected
        assert len(found["trades"]) == 1
    log = of_sqlite(Path(connections["wal"].settings_dict["NAME"]))
    assert of_sqlite(data / "wal.sqlite3") == log
    assert len(log["webhook_wal"]) == 3
    (aside,) = data.glob("wal.sqlite3.damaged-*")
    assert aside.read_bytes() == b"garbage" * 1000


def test_a_log_on_postgresql(post: Poster, tmp_path: Path) -> None:
    post()
    post(action="sell", price="110", time="2026-01-05T15:00:00Z")
    here = databases_of_this_run()
    with ExitStack() as stack:
        log, new_main, new_log = (
            stack.enter_context(Elsewhere(name))
            for name in ("log_to_back_up", "restored", "restored_log")
        )
        here["WAL_DATABASE_URL"] = log.url
        done(manage("migrate", "--database", "wal", **here))
        with psycopg.connect(log.url, autocommit=True) as connection:
            for entry in Entry.objects.order_by("id"):
                connection.execute(
                    "INSERT INTO webhook_wal (correlation_id, body, envelope, book, status,"
                    " attempts, last_error, received_at, webhook_log_id, claimed_by)"
                    " VALUES (%s, %s, '{}', %s, %s, 1, '', '2020-01-01', %s, '')",
                    [
                        entry.correlation_id,
                        entry.body,
                        entry.book,
                        entry.status,
                        entry.webhook_log_id,
                    ],
                )
        file = tmp_path / "backup.zip"
        done(manage("backup", "--to", str(file), **here))
        there = {
            "DATABASE_URL": new_main.url,
            "WAL_DATABASE_URL": new_log.url,
            "TRADELOG_DATA": str(tmp_path / "data"),
        }
        done(manage("restore", str(file), **there))
        assert of_postgresql(new_main.url) == of_postgresql(here["DATABASE_URL"])
        found = of_postgresql(new_log.url)
        assert found == of_postgresql(log.url)
        assert len(found["webhook_wal"]) == 2

        # A log on PostgreSQL is pruned as well.
        assert "2 log entries" in done(manage("prune", **here))
        assert of_postgresql(log.url)["webhook_wal"] == []


def test_a_log_that_survived_tells_what_came_after_the_backup(post: Poster, tmp_path: Path) -> None:
    post()
    here = databases_of_this_run()
    file = tmp_path / "backup.zip"
    back_up(file)
    post(action="sell", price="110", time="2026-01-05T15:00:00Z")
    # One that failed leaves no gap behind.
    post(action="nonsense")
    entries = Entry.objects.count()
    before = tables()
    with Elsewhere("restored") as main:
        there = {**here, "DATABASE_URL": main.url, "TRADELOG_DATA": str(tmp_path)}
        told = done(manage("restore", "--keep-log", str(file), **there))
        assert "to be applied again: 2." in told
        assert "replay_wal --restored" in told
        assert Entry.objects.filter(status="pending").count() == entries - 1
        assert len(of_postgresql(main.url)["trades"]) == 0
        # Had it died before it looked at the log, it would be done again.
        told = done(manage("restore", "--keep-log", "--yes", str(file), **there))
        assert "to be applied again: 0." in told
        ended = manage("replay_wal", **there)
        assert ended.stdout.endswith("2 alerts settled, 1 of them failed.\n")
        assert len(of_postgresql(main.url)["trades"]) == 1
        done(manage("reconcile_positions", **there))
    assert tables() == before
    assert Lot.objects.get().status == "closed"


def test_a_backup_that_fails_leaves_the_one_before(
    post: Poster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post()
    file = tmp_path / "backup.zip"
    file.write_text("the one before")
    monkeypatch.setattr(database_copies, "available", lambda: [Clients(Path("/usr/bin"), 9)])
    version, _ = connections["default"].get_database_version()
    with pytest.raises(CommandError, match=rf"pg_dump is of 9.*postgresql-client-{version}\)"):
        call_command("backup", "--to", str(file), stdout=StringIO())
    assert [path.read_text() for path in tmp_path.iterdir()] == ["the one before"]
    monkeypatch.undo()
    back_up(file)
    assert [path.name for path in tmp_path.iterdir()] == ["backup.zip"]
    assert zipfile.is_zipfile(file)


def test_a_log_that_nobody_can_read_is_not_backed_up(
    post: Poster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "garbage").write_bytes(b"garbage" * 1000)
    (tmp_path / "backups").mkdir()
    monkeypatch.setitem(connections["wal"].settings_dict, "NAME", str(tmp_path / "garbage"))
    with pytest.raises(CommandError, match="No backup was made: file is not a database"):
        call_command("backup", "--to", str(tmp_path / "backups"), stdout=StringIO())
    monkeypatch.setitem(connections["wal"].settings_dict, "NAME", str(tmp_path / "none"))
    with pytest.raises(CommandError, match="the write-ahead log has no tables yet"):
        call_command("backup", "--to", str(tmp_path / "backups"), stdout=StringIO())
    assert list((tmp_path / "backups").iterdir()) == []


def clients(*versions: int) -> list[Clients]:
    return [Clients(Path(f"/{place}"), version) for place, version in enumerate(versions)]


def test_the_client_programs_are_as_old_as_they_may_be() -> None:
    assert clients_for(18, clients(15, 18)).folder == Path("/1")
    assert clients_for(15, clients(15, 18)).folder == Path("/0")
    assert clients_for(14, clients(18, 15)).version == 15
    assert clients_for(18, clients(18, 18)).folder == Path("/0")
    with pytest.raises(ClientFailed, match="there are none"):
        clients_for(18, [])


def test_usage(databases: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no file") as missing:
        call_command("restore", str(tmp_path / "none.zip"))
    assert missing.value.returncode == 2
    # Neither a file's folder nor a folder that should be there, such as one nobody mounted.
    for target in (tmp_path / "none" / "backup.zip", tmp_path / "none"):
        with pytest.raises(CommandError, match=f"There is no folder {tmp_path}/none\\."):
            call_command("backup", "--to", str(target))
