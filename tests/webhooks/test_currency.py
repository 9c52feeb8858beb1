"""The currency of a trade: its exit's, or the one its entry told."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from positions.models import Lot
from tests.alerts import Poster
from tests.commands import run
from trades.models import Trade
from webhooks.reconcile import find


def trades() -> list[tuple[Any, str]]:
    return list(Trade.objects.order_by("pk").values_list("quantity", "currency"))


@pytest.mark.parametrize(
    ("of_entry", "of_exit", "of_trade"),
    [("USD", None, "USD"), (None, "EUR", "EUR"), ("USD", "EUR", "EUR"), (None, None, "")],
)
def test_an_exit_that_tells_none_has_its_entrys(
    post: Poster, of_entry: str | None, of_exit: str | None, of_trade: str
) -> None:
    post(quantity="3", currency=of_entry)
    post(action="sell", quantity="1", time="2026-01-05T15:00:00Z", currency=of_exit)
    post(action="exit", quantity=None, time="2026-01-05T15:01:00Z", currency=of_exit)
    assert trades() == [(1, of_trade), (2, of_trade)]
    assert find() == []
    assert run("audit_trades")[0] == 0


def test_a_reversal_enters_in_its_own(post: Poster) -> None:
    post(currency="USD")
    post(action="sell", quantity="3", time="2026-01-05T15:00:00Z")
    post(action="exit", quantity=None, time="2026-01-05T15:01:00Z")
    assert trades() == [(1, "USD"), (2, "")]


def test_lots_from_before_they_kept_it(post: Poster) -> None:
    post(quantity="3", currency="USD")
    post(quantity="2", time="2026-01-05T14:40:00Z")
    post(action="sell", quantity="1", time="2026-01-05T15:00:00Z")
    kept: list[tuple[Any, str]] = list(
        Lot.objects.order_by("pk").values_list("quantity", "currency")
    )
    assert kept == [(2, "USD"), (2, ""), (1, "USD")]
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()
    executor.migrate([("webhooks", "0005_one_index_of_keys"), ("positions", "0003_lists")])
    executor = MigrationExecutor(connection)
    executor.migrate(newest)
    assert list(Lot.objects.order_by("pk").values_list("quantity", "currency")) == kept
