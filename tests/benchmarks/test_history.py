"""A history that is made for measuring is one that the service could have written."""

from __future__ import annotations

import pytest

from benchmarks.backlog import replay_rate
from benchmarks.history import History, add_history
from benchmarks.installation import Installation
from benchmarks.meters import Rows, count_rows
from benchmarks.pages import PAGES, measure_pages
from benchmarks.served import TRADELOG

pytestmark = pytest.mark.timeout(300)


def test_it_adds_up_and_can_be_gone_on_with(installation: Installation) -> None:
    history = History(alerts=1000, trades=200, books=16, open_lots=3)
    indexes = _indexes(installation)
    add_history(installation, history)
    assert count_rows(installation, TRADELOG.database) == Rows(logs=1048, lots=248, trades=200)
    # Raises where it finds anything, in the log as in the tables.
    assert "Everything adds up" in installation.manage("reconcile_positions")
    assert _indexes(installation) == indexes

    # Raises unless each entry has its effect: ids, places in chains and open lots go on.
    replay_rate(installation, entries=32, books=16)
    assert "Everything adds up" in installation.manage("reconcile_positions")

    with pytest.raises(ValueError, match="empty database"):
        add_history(installation, history)

    pages = {page.name: page for page in measure_pages(installation, times=1)}
    short = {name for name in PAGES if name.endswith("last page")}
    assert {page.status for name, page in pages.items() if name not in short} == {200}


def _indexes(installation: Installation) -> set[tuple[str]]:
    with installation.connect() as connection:
        found = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'"
        return set(connection.execute(found).fetchall())


def test_a_trade_takes_two_alerts() -> None:
    with pytest.raises(ValueError, match="two alerts"):
        History(alerts=10, trades=6)
