"""The embedded PostgreSQL, and processes that end at the wrong moment."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import psutil

from tests.server import ROOT
from tests.tradelog.clusters import ask, kill_server
from tradelog.embedded import Cluster


def test_comes_back_where_orphans_end_as_they_are_looked_for(cluster: Cluster) -> None:
    """As they do within moments of their server's death."""

    class Observed(Cluster):
        ended: ClassVar[list[psutil.Process]] = []

        def _is_ours(self, process: psutil.Process) -> bool:
            if (is_ours := super()._is_ours(process)) and process.pid in orphans:
                orphan.kill()
                orphan.wait()
                orphans.remove(process.pid)
                self.ended.append(process)
            return is_ours

    cluster.start()
    kill_server(cluster)
    program = cluster.path.parent / "postgres.program" / "postgres"
    program.parent.mkdir()
    program.symlink_to("/bin/sleep")
    orphan = subprocess.Popen([program, "60"], cwd=cluster.path)
    orphans = {orphan.pid}

    Observed(cluster.path).start()

    assert [process.pid for process in Observed.ended] == [orphan.pid]
    assert ask(cluster, "SELECT 1") == 1


def test_who_is_told_to_end_while_it_starts_stops_it(cluster: Cluster) -> None:
    code = """
import sys
from tradelog.embedded import Cluster

class Told(Cluster):
    def _has_database(self):
        sys.exit(f"it is {self.is_running()} that it runs")

Told(sys.argv[1]).hold()
"""
    command = [sys.executable, "-c", code, str(cluster.path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.stderr == "it is True that it runs\n"
    assert not cluster.is_running()
