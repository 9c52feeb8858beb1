"""The benchmarks measure what they say, and find out who does not do the work."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.alerts import in_turn
from benchmarks.burst import largest, send_at_once
from benchmarks.installation import ROOT, Installation
from benchmarks.load import HOW_TO_INSTALL, Load, NoLoad
from benchmarks.measured import Dishonest, measure_server
from benchmarks.meters import count_rows
from benchmarks.served import QUEUE, TRADELOG, running

pytestmark = pytest.mark.timeout(300)

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason=HOW_TO_INSTALL)


def bench(what: str, folder: Path, *options: str) -> tuple[Any, str]:
    """Measure for a second, once: the figures, and what was printed."""
    told = folder / "bench.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", f"benchmarks.{what}", "--seconds=1", "--runs=1"),
            *(*options, f"--json={told}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(told.read_text()), done.stdout


@needs_wrk
def test_the_service_and_its_floor_side_by_side(tmp_path: Path) -> None:
    result, printed = bench("run", tmp_path, "--only=tradelog,floor", "--clients=4", "--books=16")
    service, floor = result["runs"]
    assert (service["part"], floor["part"]) == ("tradelog", "floor")
    for run in (service, floor):
        assert run["alerts"] > 0
        assert run["throughput"] == pytest.approx(run["alerts"] / run["seconds"])
        assert 0 < run["p50"] <= run["p95"] <= run["p99"] <= run["longest"]
        assert run["database_cpu"] > 0 and run["database_kb"] > 0
        assert run["unwritten"] == 0
    assert service["server_cpu"] > 0 and floor["server_cpu"] == 0
    trips = {count["part"]: count["round_trips"] for count in result["counts"]}
    # Of the statements in floor.sql: seven for an entry, eight for an exit, and those that
    # prepare them, of which each client has its own.
    assert 7 <= trips["floor"] < 9
    # Two or three a transaction, which several alerts share: at times less than one each.
    assert 0 < trips["tradelog"] < trips["floor"]
    assert "least–most" in printed


@needs_wrk
def test_who_answers_for_what_is_not_written_is_found_out(installation: Installation) -> None:
    installation.add_strategies(16)
    pretender = replace(QUEUE, is_honest=True)
    with running(pretender, installation) as now:
        load = Load(books=16)
        with pytest.raises(NoLoad, match="404"):  # Warmed up with nothing but refusals.
            load.warm_up(f"{now.url}nobody/", clients=1)
        with pytest.raises(Dishonest, match="neither in its tables nor in its log"):
            measure_server(installation, pretender, now, load, clients=16, seconds=2)
        now.kill()


def test_what_a_server_printed_is_told_with_what_went_wrong(installation: Installation) -> None:
    elsewhere = replace(TRADELOG, command=lambda port: ("manage.py", "serve", "--port=none"))
    with pytest.raises(RuntimeError) as told, running(elsewhere, installation):
        pass
    (note,) = told.value.__notes__
    assert "ended with 2" in note and "'none' is no port from 1 to 65535" in note


def test_a_burst_is_answered_and_written(installation: Installation) -> None:
    installation.add_strategies(2)
    before = count_rows(installation, TRADELOG.database)
    with running(TRADELOG, installation, ANSWER_SECONDS="20") as now:
        burst = send_at_once(now.url, in_turn(8, books=2))
        assert burst.by_status == {200: 8}
        assert 0 < burst.slowest < 10
        nobody = send_at_once(f"http://127.0.0.1:{now.port}/nobody/", in_turn(4, books=1))
        assert not nobody.all_acknowledged
    written = count_rows(installation, TRADELOG.database).since(before)
    assert written.logs == 8 and written.lots + written.trades == 8


@pytest.mark.parametrize("limit", [99, 100, 812, 3999, 4001])
def test_the_largest_burst_is_found_to_a_tenth(limit: int) -> None:
    found = largest(lambda alerts: alerts <= limit, first=100, most=4000)
    if limit < 100:
        assert found == 0
    else:
        assert 0.9 * min(limit, 3200) - 4 <= found <= limit


@needs_wrk
def test_several_hosts_are_measured(tmp_path: Path) -> None:
    result, _ = bench("scaling", tmp_path, "--only=months", "--entries=1000")
    (run,) = result["runs"]
    assert run["throughput"] > 0
    assert run["server_cpu"] > 0 and run["database_cpu"] > 0
    (sizes,) = result["sizes"].values()
    assert [size["table"] for size in sizes] == [
        "webhook_logs", "open_positions", "trades", "webhook_wal",
    ]  # fmt: skip
    assert all(size["rows"] > 0 and size["indexes"] > 0 for size in sizes)
    assert result["partitioned"]["seconds"] > 0
