"""How the worker processes share the machine and the connections."""

from __future__ import annotations

import os
from http.client import HTTPConnection

import psutil
import pytest

from tests.tradelog.test_workers import Workers, workers
from tradelog.workers import _let_each_other_finish

__all__ = ["workers"]


with_cores = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="the system has no say in it"
)


@with_cores
def test_each_worker_keeps_to_a_core_of_its_own(workers: Workers) -> None:
    cores: list[frozenset[int]] = []
    for pid in workers.both():
        threads = psutil.Process(pid).threads()
        kept_to = {frozenset(os.sched_getaffinity(thread.id)) for thread in threads}
        assert len(threads) > 1
        assert len(kept_to) == 1, "all of its threads keep to the same"
        cores.append(*kept_to)
    assert [len(each) for each in cores] == [1, 1]
    assert len(set(cores)) == min(2, len(os.sched_getaffinity(0)))


@with_cores
def test_a_replacement_keeps_to_the_core_of_the_worker_before(workers: Workers) -> None:
    before = workers.both()
    victim = min(before)
    core = psutil.Process(victim).cpu_affinity()
    assert len(core) == 1
    psutil.Process(victim).kill()
    (replacement,) = workers.both() - before
    assert psutil.Process(replacement).cpu_affinity() == core


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="the system has no such thing")
def test_threads_of_a_worker_let_each_other_finish(workers: Workers) -> None:
    for pid in workers.both():
        threads = psutil.Process(pid).threads()
        assert {os.sched_getscheduler(thread.id) for thread in threads} == {os.SCHED_BATCH}


def test_they_work_where_that_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", forbidden, raising=False)
    _let_each_other_finish()


def test_a_kept_connection_is_ended_now_and_then(workers: Workers) -> None:
    """So that not all of them stay with one worker for ever."""
    connection = HTTPConnection("127.0.0.1", workers.port, timeout=20)
    ended = 0
    for _ in range(1500):
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        # It says so, and is closed then; http.client opens another one.
        ended += response.getheader("Connection") == "close"
    connection.close()
    # One in 64 by chance: none in 1,500 tries happens once in 10^10 times.
    assert 1 <= ended <= 150
