"""After a 2xx exactly one effect, whatever dies: `make chaos`, but short."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.chaos.faults import KINDS, KINDS_OF_SEVERAL, LOSE_HOST, schedule
from tests.chaos.result import by_fault, summary, tidy
from tests.chaos.run import AUDITS, run

#: Their parts are met together by another kind.
_LONG_RUN_ONLY = {"server killed", "PostgreSQL killed", "PostgreSQL and a worker killed"}


@pytest.mark.timeout(240)
def test_everything_dies_and_nothing_is_lost_or_doubled() -> None:
    # Not tmp_path: pytest shuts the folders above it to the user PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="tradelog-chaos-"))
    kinds = [kind for kind in KINDS if kind.name not in _LONG_RUN_ONLY]
    result = run(
        folder,
        seed=1,
        wanted_alerts=200,
        wanted_faults=len(kinds),
        seconds=100,
        clients=8,
        most_pause=0.1,
        park_seconds=2,
        kinds=kinds,
    )
    print(summary(result), by_fault(result), sep="\n\n")
    tidy(folder, result)
    assert not result.troubles
    assert not result.findings
    assert {fault.name for fault in result.injected} == {kind.name for kind in kinds}, (
        "a fault met nothing"
    )
    assert sum(each.last.is_acknowledgement for each in result.deliveries) > 50


@pytest.mark.timeout(240)
@pytest.mark.parametrize("shares_log", [False, True], ids=["a log each", "one log"])
def test_two_hosts_share_one_database(shares_log: bool) -> None:
    """One of them is lost twice, the second time for good."""
    folder = Path(tempfile.mkdtemp(prefix="tradelog-chaos-"))
    result = run(
        folder,
        seed=2,
        wanted_alerts=100,
        wanted_faults=1,
        seconds=30,
        clients=8,
        most_pause=0.1,
        park_seconds=2,
        hosts=2,
        shares_log=shares_log,
        kinds=[LOSE_HOST],
        audits=AUDITS,
    )
    print(summary(result))
    tidy(folder, result)
    assert not result.troubles
    assert not result.findings
    assert len(result.injected) == 1
    assert any(each.last.status == "duplicate" for each in result.deliveries)


def test_a_schedule_is_its_seed() -> None:
    def drawn(seed: int) -> list[tuple[str, float]]:
        return [(fault.name, pause) for fault, pause in schedule(seed, 100, 1.0, KINDS)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    for count in (0, 1, 2, 14, 30):
        assert len(list(schedule(4, count, 1.0, KINDS))) == count
    names = [fault.name for fault, _ in schedule(3, 10 * len(KINDS), 1.0, KINDS)]
    assert set(map(names.count, names)) == {10}
    assert not any(fault.needs_proxy for fault, _ in list(schedule(3, 100, 1.0, KINDS))[:40])
    several = [fault.name for fault, _ in schedule(3, 60, 1.0, KINDS_OF_SEVERAL)]
    assert set(map(several.count, several)) == {4}
