"""A few trades among many are found without reading the many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F, QuerySet

from tests.factories import TradeFactory
from tests.plans import pages_of, plan_of, questions
from trades import rare
from trades.models import Trade
from trades.totals import totals

QUESTIONS: dict[str, Callable[[QuerySet[Trade]], object]] = {
    "how many": lambda trades: trades.count(),
    "the latest": lambda trades: list(trades.order_by("-id")[:100]),
    "by exit": lambda trades: list(trades.order_by("-exit_time", "-id")[:101]),
    "by P&L": lambda trades: list(trades.order_by("pnl", "id")[:100]),
    "sums": totals,
}


@pytest.fixture
def many(databases: None) -> None:
    """Trades an hour apart; of the first two the exit is before the entry."""
    first = TradeFactory()
    trades = [
        TradeFactory.build(
            strategy=first.strategy, exit_time=first.exit_time + number * timedelta(hours=1)
        )
        for number in range(5000)
    ]
    Trade.objects.bulk_create(trades)
    Trade.objects.filter(pk__in=[first.pk, trades[0].pk]).update(
        entry_time=F("exit_time") + timedelta(minutes=1)
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE trades")


@pytest.mark.parametrize("name", QUESTIONS)
def test_exits_before_entries(many: None, name: str) -> None:
    with questions() as asked:
        QUESTIONS[name](Trade.objects.filter(rare.exit_before_entry()))
    assert len(asked) == 2
    for question in asked:
        plan = plan_of(question)
        # The table has well over a hundred pages.
        assert pages_of(plan) < 20, plan
