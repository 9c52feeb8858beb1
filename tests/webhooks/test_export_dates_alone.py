"""A daily chart's list tells dates alone, and alerts when the session began, or a fill within."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from tests.alerts import Poster
from tests.commands import run
from tests.trades.export_files import Form, Listed, as_csv, rows
from tests.webhooks.exported_trades import export_of, local, post_entry, post_exit
from trades.comparison.tolerances import usual_tolerances
from trades.models import Trade

FORM = Form(time=lambda time: f"{time:%Y-%m-%d}")

NEW_YORK = timedelta(hours=13, minutes=30)


def day_trade(number: int, entered: int, left: int, price: int) -> Listed:
    return Listed(
        number, "long", Decimal(1), local(f"2026-09-{entered:02}"), Decimal(price),
        local(f"2026-09-{left:02}"), Decimal(price + 10), Decimal(10),
    )  # fmt: skip


MONDAY = day_trade(1, 7, 8, 100)
TUESDAY = day_trade(2, 8, 9, 120)
THURSDAY = day_trade(3, 10, 11, 140)


def told_at(day: datetime, begins: timedelta) -> str:
    return (day + begins).replace(tzinfo=UTC).isoformat()


def post_day(post: Poster, trade: Listed, begins: timedelta = NEW_YORK) -> None:
    entered, left = told_at(trade.entry_time, begins), told_at(trade.exit_time, begins)
    assert post_entry(post, trade, time=entered)["action"] == "opened"
    assert post_exit(post, trade, time=left)["action"] == "closed"


def list_of(folder: Path, *trades: Listed) -> str:
    path = folder / "daily.csv"
    path.write_bytes(as_csv(rows(trades, FORM)))
    return str(path)


def compared(path: str, *options: str) -> tuple[int, dict[str, Any]]:
    status, text = run("reconcile_positions", "--tradingview", path, *options, "--format", "json")
    return status, json.loads(text)


@pytest.mark.parametrize(
    "begins",
    [NEW_YORK, timedelta(), -timedelta(hours=2), timedelta(hours=20, minutes=59)],
    ids=["a share", "a coin", "a future, from the evening before", "filled before the close"],
)
def test_they_agree(tmp_path: Path, post: Poster, begins: timedelta) -> None:
    days = (MONDAY, TUESDAY, THURSDAY)
    for trade in days:
        post_day(post, trade, begins)
    path = list_of(tmp_path, *days)
    status, told = compared(path)
    assert (status, len(told["matched"]), told["strategy"]) == (0, 3, "Alpha")
    for side in ("tradingview", "here"):
        assert [pair[side]["entry_price"] for pair in told["matched"]] == ["100", "120", "140"]
    # It is not said of which zone they are.
    assert not told["time_zone"]["sure"]
    text = run("reconcile_positions", "--tradingview", path)[1]
    assert "not needed to compare, since the list tells dates alone" in text
    assert "Tolerances: a day of time" in text


def test_a_tolerance_that_was_named_counts(tmp_path: Path, post: Poster) -> None:
    post_day(post, MONDAY)
    with pytest.raises(CommandError, match="No trade here is like one of the export's"):
        compared(list_of(tmp_path, MONDAY), "--time-tolerance", "60")


def test_a_lost_trade_is_told_and_another_days_alert_is_no_cause(
    tmp_path: Path, post: Poster
) -> None:
    post_day(post, MONDAY)
    post_day(post, THURSDAY)
    status, told = compared(list_of(tmp_path, MONDAY, TUESDAY, THURSDAY))
    (missing,) = told["missing_here"]
    assert (status, len(told["matched"]), missing["entry_price"]) == (1, 2, "120")
    assert missing["cause"]["kind"] == "no_alert"
    assert missing["importable"]


def test_it_goes_to_the_end_of_its_last_day(tmp_path: Path, post: Poster) -> None:
    post_day(post, MONDAY, timedelta())
    after = day_trade(2, 9, 10, 120)
    post_day(post, after, timedelta())
    status, told = compared(list_of(tmp_path, MONDAY))
    assert (status, told["outside"], told["missing_there"]) == (0, 1, [])


def test_a_zone_is_never_sure(tmp_path: Path, post: Poster) -> None:
    """Not even where all but one are too far away."""
    post_day(post, MONDAY, -timedelta(hours=23, minutes=50))
    post_day(post, THURSDAY, timedelta(hours=23, minutes=50))
    status, told = compared(list_of(tmp_path, MONDAY, THURSDAY))
    zone = told["time_zone"]
    assert (status, zone["fitted"], zone["next_best_fitted"]) == (0, 2, 1)
    assert not zone["sure"]


@pytest.mark.parametrize(
    ("zone", "begins"),
    [("America/New_York", "2026-09-08T04:00Z"), ("Pacific/Auckland", "2026-09-07T12:00Z")],
)
def test_an_import_needs_the_zone_named(
    tmp_path: Path, post: Poster, zone: str, begins: str
) -> None:
    """For its own times alone: by no zone is a trade missing that is here."""
    post_day(post, MONDAY)
    post_day(post, THURSDAY)
    path = list_of(tmp_path, MONDAY, TUESDAY, THURSDAY)
    with pytest.raises(CommandError, match="cannot be told for sure"):
        run("reconcile_positions", "--tradingview", path, "--import")
    named = "--import", "--timezone", zone
    assert compared(path, *named)[0] == 0
    trade = Trade.objects.get(import_batch__isnull=False)
    assert trade.entry_time == datetime.fromisoformat(begins)
    for options in (named, ()):
        status, told = compared(path, *options)
        assert (status, len(told["matched"]), told["missing_here"]) == (0, 3, [])
    assert Trade.objects.count() == 3


def test_one_time_with_a_clock_is_enough() -> None:
    assert usual_tolerances(export_of(MONDAY, THURSDAY, form=FORM)).time == timedelta(days=1)
    clock = Listed(
        2, "long", Decimal(1), local("2026-09-10"), Decimal(120), local("2026-09-10 16:00"),
        Decimal(130),
    )  # fmt: skip
    assert usual_tolerances(export_of(MONDAY, clock)).time == timedelta(seconds=60)
