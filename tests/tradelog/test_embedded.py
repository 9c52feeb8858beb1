"""The embedded PostgreSQL: real servers, in every kind of folder, killed in every way."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.server import ROOT
from tests.tradelog.clusters import (
    AS_ROOT,
    ask,
    cleaned_up,
    has_hold,
    holder,
    kill_server,
    let_go,
    postmaster,
)
from tradelog.embedded import Cluster, ClusterError


def test_starts_for_its_owner_alone_and_stops(new_cluster: Cluster) -> None:
    cluster = new_cluster
    assert not cluster.is_running()

    cluster.start()

    assert cluster.is_running()
    assert ask(cluster, "SHOW server_encoding") == "UTF8"
    assert ask(cluster, "SELECT upper('é')") == "É"
    assert ask(cluster, "SHOW data_checksums") == "on"
    assert ask(cluster, "SHOW max_connections") == "200"
    assert not postmaster(cluster).net_connections(kind="inet")
    assert stat.S_IMODE(cluster.path.stat().st_mode) == 0o700
    socket = cluster.socket_directory / ".s.PGSQL.5432"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert (cluster.bin / "pg_dump").exists()

    cluster.stop()

    assert not cluster.is_running()
    cluster.stop()  # Nothing to do.


def test_naming_it_touches_nothing(tmp_path: Path) -> None:
    assert Cluster(tmp_path / "nowhere" / "postgres").database == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "tradelog",
        "USER": "postgres",
        "HOST": str(tmp_path / "nowhere" / "postgres"),
        "PORT": 5432,
    }
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["x" * 100, "a,b", "it's"])
def test_runs_where_a_socket_cannot_be(tmp_path: Path, name: str) -> None:
    for cluster in cleaned_up(Cluster(tmp_path / name / "postgres")):
        folder = cluster.socket_directory
        assert folder.parent == Path("/tmp")

        cluster.start()

        assert ask(cluster, "SELECT 1") == 1
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert Cluster(tmp_path / name / "postgres").socket_directory == folder


def test_refuses_a_socket_folder_somebody_else_made(tmp_path: Path) -> None:
    for cluster in cleaned_up(Cluster(tmp_path / ("y" * 100) / "postgres")):
        cluster.socket_directory.mkdir()
        cluster.socket_directory.chmod(0o777)

        with pytest.raises(ClusterError, match="not a private folder"):
            cluster.start()


def test_comes_back_after_everything_was_killed(cluster: Cluster) -> None:
    cluster.start()
    ask(cluster, "CREATE TABLE kept (id int)")
    kill_server(cluster)

    cluster.start()

    assert ask(cluster, "SELECT count(*) FROM kept") == 0


def test_comes_back_while_orphans_of_the_killed_one_still_work(cluster: Cluster) -> None:
    cluster.start()
    database = cluster.database
    busy = psycopg.connect(
        host=database["HOST"], user=database["USER"], dbname=database["NAME"], autocommit=True
    )
    with closing(busy):
        backend = psutil.Process(busy.info.backend_pid)
        # A loop looks up for nothing: not even for the death of its server.
        busy.pgconn.send_query(
            b"SELECT count(*) FROM generate_series(1, 1000000000) a, generate_series(1, 1000) b"
        )
        postmaster(cluster).kill()

        cluster.start()

        assert ask(cluster, "SELECT 1") == 1
        assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE


def test_a_stranger_with_the_old_process_id_is_no_server(cluster: Cluster) -> None:
    cluster.start()
    old = (cluster.path / "postmaster.pid").read_text().splitlines()
    kill_server(cluster)
    # PostgreSQL itself would believe in a process of its own user.
    user = {"user": cluster.path.stat().st_uid} if AS_ROOT else {}
    with subprocess.Popen(["sleep", "60"], **user) as stranger:  # type: ignore[call-overload]
        for file in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (cluster.path / file).write_text("\n".join([str(stranger.pid), *old[1:], ""]))
        assert not cluster.is_running()

        cluster.start()

        assert ask(cluster, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_a_killed_first_start_is_made_good(new_cluster: Cluster) -> None:
    cluster = new_cluster
    first = holder(cluster)
    drafts = _await(lambda: list(cluster.path.parent.glob("postgres.new-*/global/*")))
    first.kill()
    first.communicate()
    assert drafts and not cluster.path.exists()

    cluster.start()

    assert ask(cluster, "SELECT 1") == 1
    assert [file.name for file in sorted(cluster.path.parent.iterdir())] == [
        "postgres",
        "postgres.lock",
        "postgres.users",
    ]


def test_a_database_that_got_lost_between_start_and_creation_is_made(cluster: Cluster) -> None:
    cluster.start()
    with psycopg.connect(
        host=cluster.database["HOST"], user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute("DROP DATABASE tradelog")

    cluster.start()

    assert ask(cluster, "SELECT 1") == 1


def test_processes_that_start_at_once_share_one_server_and_the_last_stops_it(
    new_cluster: Cluster,
) -> None:
    cluster = new_cluster
    holders = [holder(cluster) for _ in range(3)]
    assert all(map(has_hold, holders))

    let_go(holders[0])
    assert cluster.is_running()

    # Killed: it can stop nothing, and must not be waited for either.
    holders[1].kill()
    holders[1].communicate()
    assert cluster.is_running()

    let_go(holders[2])
    assert not cluster.is_running()


def test_a_killed_holder_leaves_it_to_the_next(cluster: Cluster) -> None:
    first = holder(cluster)
    assert has_hold(first)
    server = postmaster(cluster)
    first.kill()
    first.communicate()
    assert cluster.is_running()

    second = holder(cluster)
    assert has_hold(second)
    assert postmaster(cluster) == server

    let_go(second)
    assert not cluster.is_running()


def test_a_forked_child_leaves_what_its_parent_holds(cluster: Cluster) -> None:
    parent = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys\n"
            "from tradelog.embedded import Cluster\n"
            "cluster = Cluster(sys.argv[1])\n"
            "cluster.hold()\n"
            "if os.fork() == 0: sys.exit(0)\n"
            "os.wait()\n"
            "sys.exit(0 if cluster.is_running() else 'the child stopped it')",
            str(cluster.path),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert parent.returncode == 0, parent.stderr
    assert not cluster.is_running()


def test_the_server_outlives_ctrl_c_in_the_terminal(cluster: Cluster) -> None:
    """Ctrl-C reaches all of the group; the server must end last, when told."""
    cluster.start()
    assert os.getpgid(postmaster(cluster).pid) != os.getpgid(0)


def test_says_why_it_does_not_start(cluster: Cluster) -> None:
    (cluster.path / "global" / "pg_control").unlink()

    with pytest.raises(ClusterError, match="pg_control"):
        cluster.start()


def test_refuses_a_folder_of_another_version(cluster: Cluster) -> None:
    (cluster.path / "PG_VERSION").write_text("16\n")

    with pytest.raises(ClusterError, match="made by PostgreSQL 16; this is 18"):
        cluster.start()


def test_refuses_a_folder_that_holds_something_else(new_cluster: Cluster) -> None:
    cluster = new_cluster
    cluster.path.mkdir(parents=True)
    (cluster.path / "letters.txt").write_text("dear")

    with pytest.raises(ClusterError, match="in the way"):
        cluster.start()
    assert (cluster.path / "letters.txt").read_text() == "dear"


def _await(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return result
