"""Whose the embedded PostgreSQL is, and who may come near it."""

from __future__ import annotations

import os
import pickle
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.tradelog.clusters import AS_ROOT, ask, cleaned_up, users_of_server
from tradelog.access import let_others_through
from tradelog.embedded import Cluster, ClusterError


@pytest.mark.skipif(not AS_ROOT, reason="only root can be another user")
class TestAsRoot:
    def test_runs_as_a_user_of_its_own_below_folders_closed_to_it(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        for cluster in cleaned_up(Cluster(closed / "data" / "postgres")):
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
        for cluster in cleaned_up(Cluster(home / "data" / "postgres")):
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
