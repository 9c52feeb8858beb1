"""The embedded PostgreSQL: real servers, in every kind of folder, killed in every way."""

from __future__ import annotations

import os
import pickle
import pwd
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.processes import kill_all
from tradelog.access import let_others_through
from tradelog.embedded import Cluster, ClusterError

ROOT = Path(__file__).parent.parent.parent
AS_ROOT = os.geteuid() == 0

#: Holds a cluster, says so, and lets go when its input ends.
HOLDER = """
import sys
from tradelog.embedded import Cluster
Cluster(sys.argv[1]).hold()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as the first start leaves it: initdb takes most of a test's time."""
    cluster = Cluster(tmp_path_factory.mktemp("made") / "postgres")
    cluster.start()
    cluster.stop()
    return cluster.path


@pytest.fixture
def cluster(tmp_path: Path, made_folder: Path) -> Iterator[Cluster]:
    """A cluster that ran before, in a folder with a space in its name."""
    folder = tmp_path / "my data"
    folder.mkdir()
    subprocess.run(["cp", "-a", str(made_folder), str(folder)], check=True)
    yield from _cleaned_up(Cluster(folder / "postgres"))


@pytest.fixture
def new_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that has never run."""
    yield from _cleaned_up(Cluster(tmp_path / "my data" / "postgres"))


def _cleaned_up(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
    cluster.stop()
    if cluster.socket_directory != cluster.path:
        shutil.rmtree(cluster.socket_directory, ignore_errors=True)


def ask(cluster: Cluster, statement: str) -> Any:
    """The first value of a statement's first row; None if it returns no rows."""
    database = cluster.database
    with psycopg.connect(
        host=database["HOST"],
        port=database["PORT"],
        user=database["USER"],
        dbname=database["NAME"],
        connect_timeout=5,
    ) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def postmaster(cluster: Cluster) -> psutil.Process:
    return psutil.Process(int((cluster.path / "postmaster.pid").read_text().split()[0]))


def server_processes(cluster: Cluster) -> list[psutil.Process]:
    main = postmaster(cluster)
    return [main, *main.children()]


def kill_server(cluster: Cluster) -> None:
    kill_all(server_processes(cluster))


def users_of_server(cluster: Cluster) -> set[str]:
    users = {postmaster(cluster).username()}
    for process in server_processes(cluster):
        # PostgreSQL ends some of its processes as soon as they have done their work.
        with suppress(psutil.NoSuchProcess):
            users.add(process.username())
    return users


def holder(cluster: Cluster) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(cluster.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def has_hold(process: subprocess.Popen[str]) -> bool:
    assert process.stdout
    return process.stdout.readline() == "held\n"


def let_go(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=30)
    assert process.returncode == 0


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
    for cluster in _cleaned_up(Cluster(tmp_path / name / "postgres")):
        folder = cluster.socket_directory
        assert folder.parent == Path("/tmp")

        cluster.start()

        assert ask(cluster, "SELECT 1") == 1
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert Cluster(tmp_path / name / "postgres").socket_directory == folder


def test_refuses_a_socket_folder_somebody_else_made(tmp_path: Path) -> None:
    for cluster in _cleaned_up(Cluster(tmp_path / ("y" * 100) / "postgres")):
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


@pytest.mark.skipif(not AS_ROOT, reason="only root can be another user")
class TestAsRoot:
    def test_runs_as_a_user_of_its_own_below_folders_closed_to_it(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        for cluster in _cleaned_up(Cluster(closed / "data" / "postgres")):
            cluster.start()

            assert users_of_server(cluster) == {"pgserver"}
            # Passing through, not listing.
            assert stat.S_IMODE(closed.stat().st_mode) == 0o701

    def test_nobody_else_can_connect(self, cluster: Cluster) -> None:
        cluster.start()
        with pytest.raises(psycopg.OperationalError, match="Permission denied"):
            _as_user("nobody", lambda: ask(cluster, "SELECT 1"))

    def test_an_ordinary_user_runs_its_own(self, tmp_path: Path, made_folder: Path) -> None:
        home = tmp_path / "home"
        home.mkdir()
        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        let_others_through(tmp_path)
        for cluster in _cleaned_up(Cluster(home / "data" / "postgres")):
            _as_user("nobody", cluster.start)

            # And root, coming later, runs it as the owner of its folder.
            cluster.stop()
            cluster.start()
            assert users_of_server(cluster) == {"nobody"}

    def test_an_ordinary_user_is_told_whose_folder_it_is(self, cluster: Cluster) -> None:
        cluster.start()
        with pytest.raises(ClusterError, match="belongs to another user"):
            _as_user("nobody", cluster.start)


def _as_user(name: str, action: Callable[[], object]) -> None:
    """Run something in a child process of another user; raises what it raised."""
    user = pwd.getpwnam(name)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        failure: BaseException | None = None
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            action()
        except BaseException as error:
            failure = error
        os.write(writer, pickle.dumps(failure))
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as told:
        failure = pickle.load(told)
    if failure:
        raise failure


def _await(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return result
