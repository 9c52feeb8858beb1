"""Months are summed up beside the requests, and never miss or keep what they should not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from tests.alerts import Poster
from tests.factories import TradeFactory
from tests.server import databases_of_this_run
from tradelog import summing_up
from tradelog.timezones import choose
from trades import results
from trades.models import Trade
from trades.monthly import building, reading
from trades.monthly.models import SummedZone
from trades.monthly.reading import Chosen

ALL = Chosen(date(2000, 1, 1), date(2100, 1, 1))
ZONE = ZoneInfo("UTC")


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_SINGLE_STEPS", 0)
    monkeypatch.setattr(building, "WORTH", 1)


def shown() -> int:
    """How many trades the Overview has."""
    return sum(each.total.trades for each in results.results_of(ALL, ZONE))


def test_a_trade_that_is_committed_late_is_not_missed(
    databases: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = TradeFactory()
    monkeypatch.setattr(building, "_PATIENCE", 0.1)
    url = databases_of_this_run()["DATABASE_URL"]
    copied = (
        "INSERT INTO trades (strategy_id, symbol, direction, quantity, entry_price, exit_price, "
        "entry_time, exit_time, point_value, commission, pnl, currency, created_at) "
        "SELECT strategy_id, symbol, direction, quantity, entry_price, exit_price, entry_time, "
        "exit_time, point_value, commission, pnl, currency, created_at FROM trades WHERE id = %s"
    )
    with closing(psycopg.connect(url)) as late:
        late.execute(copied, [first.pk])
        TradeFactory()
        # An id below the last one is still to appear.
        assert building.sum_up("UTC") == 0
        assert shown() == 2
        late.commit()
    assert building.sum_up("UTC") == 3
    assert reading.read(ALL, ZONE) is not None and shown() == 3


def test_who_only_reads_holds_nothing_up(databases: None) -> None:
    TradeFactory()
    with closing(psycopg.connect(databases_of_this_run()["DATABASE_URL"])) as reader:
        reader.execute("SELECT count(*) FROM trades")
        assert building.sum_up("UTC") == 1


def test_one_at_a_time(databases: None) -> None:
    TradeFactory()
    with closing(psycopg.connect(databases_of_this_run()["DATABASE_URL"])) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [building._LOCK])
        assert building.sum_up("UTC") == 0
    assert building.sum_up("UTC") == 1


def test_what_reconciling_mends_counts(post: Poster) -> None:
    post()
    post(action="sell", price="110", time="2026-01-05T15:00:00Z")
    Trade.objects.update(pnl=99)
    building.sum_up("UTC")

    def net() -> Decimal:
        (only,) = results.results_of(ALL, ZONE)
        return only.total.net

    assert net() == 99
    with suppress(SystemExit):
        call_command("reconcile_positions", "--fix", stdout=StringIO())
    right = Trade.objects.get().pnl
    assert right != 99 and net() == right
    building.sum_up("UTC")
    assert reading.read(ALL, ZONE) is not None and net() == right


def test_the_zones_of_users_are_summed_up(databases: None) -> None:
    for name, zone in (("a", "Asia/Tokyo"), ("b", "Asia/Tokyo"), ("c", "UTC")):
        choose(User.objects.create_user(name), zone)
    TradeFactory(exit_time=datetime.now(UTC) - timedelta(days=1))
    summing_up._sum_up(threading.Event())
    assert set(SummedZone.objects.values_list("pk", flat=True)) == {"UTC", "Asia/Tokyo"}


def test_a_server_does_so_by_itself(databases: None, monkeypatch: pytest.MonkeyPatch) -> None:
    TradeFactory()
    monkeypatch.setattr(summing_up, "_EVERY_SECONDS", 0.01)
    done = threading.Event()
    summed: Callable[[str], int] = building.sum_up

    def sum_up(zone: str) -> int:
        added = summed(zone)
        done.set()
        return added

    monkeypatch.setattr(summing_up, "sum_up", sum_up)
    stop = summing_up.start_summing_up()
    try:
        assert done.wait(30)
    finally:
        stop()
    assert SummedZone.objects.get().zone == "UTC"


def test_the_command(databases: None) -> None:
    TradeFactory.create_batch(2)
    out = StringIO()
    call_command("sum_up_trades", stdout=out)
    assert out.getvalue() == "UTC: 2 trades were added\n"
    # By hand, as nobody should: what is summed up does not know.
    Trade.objects.update(pnl=77)
    out = StringIO()
    call_command("sum_up_trades", "--anew", stdout=out)
    assert out.getvalue() == "UTC: 2 trades were added\n"
    (only,) = results.results_of(ALL, ZONE)
    assert only.total.net == 154
