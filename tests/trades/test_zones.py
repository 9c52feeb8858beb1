"""The chart's time zone is found by the trades that were entered with ours."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from trades.comparison.groups import TradeGroup
from trades.comparison.tolerances import Tolerances
from trades.comparison.zones import ZoneFit, ZoneSearch, instant, instants, zone_named, zone_names
from trades.direction import Direction
from trades.exports.exported import ExportedTrade


def entered(times: Iterable[datetime]) -> list[TradeGroup]:
    """A trade of two hours at each time, each at a price of its own."""
    return [
        TradeGroup(
            Direction.LONG, time, Decimal(100 + number), time + timedelta(hours=2),
            Decimal(200 + number), Decimal(1), trades=(number,),
        )
        for number, time in enumerate(times)
    ]  # fmt: skip


def listed(groups: Iterable[TradeGroup], zone: str) -> list[ExportedTrade]:
    """The same as a chart in this zone shows them."""
    chart = zone_named(zone)
    exported = []
    for number, group in enumerate(groups, 1):
        assert group.exit_time is not None
        exported.append(
            ExportedTrade(
                number, group.direction, group.quantity,
                group.entry_time.astimezone(chart).replace(tzinfo=None), group.entry_price,
                group.exit_time.astimezone(chart).replace(tzinfo=None), group.exit_price,
            )
        )  # fmt: skip
    return exported


#: Every five days of a year, at another time each.
A_YEAR = [
    datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=5 * n, minutes=137 * n % 1440)
    for n in range(73)
]


def found(ours: list[TradeGroup], theirs: list[ExportedTrade]) -> ZoneFit:
    fit = ZoneSearch(theirs, Tolerances()).best(ours)
    assert fit is not None
    return fit


@pytest.mark.parametrize(
    "zone",
    [
        "UTC", "America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin",
        "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney", "Asia/Kathmandu",
        "Australia/Lord_Howe", "America/St_Johns",
    ],
)  # fmt: skip
def test_a_zone_is_found_with_its_daylight_saving(zone: str) -> None:
    ours = entered(A_YEAR)
    fit = found(ours, listed(ours, zone))
    assert fit.fitted == fit.sampled == len(ours)
    assert fit.is_sure
    # Another name of the same zone is as good.
    assert all(
        time.astimezone(zone_named(fit.name)).utcoffset()
        == time.astimezone(zone_named(zone)).utcoffset()
        for time in A_YEAR
    )


def test_new_york_is_told_from_berlin_less_six_hours() -> None:
    """They differ for four weeks of a year only, in which one goes through the change."""
    ours = entered(datetime(2025, 3, 1, 15, tzinfo=UTC) + timedelta(days=n) for n in range(45))
    fit = found(ours, listed(ours, "America/New_York"))
    assert (fit.name, fit.is_sure) == ("America/New_York", True)
    assert fit.rival_fitted < fit.fitted


def test_an_offset_that_no_place_keeps() -> None:
    ours = entered(A_YEAR)
    fit = found(ours, listed(ours, "UTC-11:30"))
    assert (fit.name, fit.is_sure) == ("UTC-11:30", True)


def test_trades_that_are_missing_here_do_not_mislead() -> None:
    ours = entered(A_YEAR)
    fit = found(ours[::2], listed(ours, "Europe/Berlin"))
    assert fit.name == "Europe/Berlin" and fit.is_sure
    assert (fit.fitted, fit.sampled) == (37, 73)
    assert not found(ours[::3], listed(ours, "Europe/Berlin")).is_sure


def test_what_two_zones_fit_alike_is_not_sure() -> None:
    """Ours are all of the winter, the export goes into the summer: Berlin, or UTC+1?"""
    ours = entered(A_YEAR)
    fit = found(ours[:12], listed(ours[:20], "Europe/Berlin"))
    assert fit.fitted == fit.rival_fitted == 12
    assert not fit.is_sure


def test_nothing_fits() -> None:
    ours = entered(A_YEAR)
    theirs = listed(entered(time + timedelta(days=400) for time in A_YEAR), "UTC")
    assert ZoneSearch(theirs, Tolerances()).best(ours) is None
    assert ZoneSearch(theirs, Tolerances()).best([]) is None


def test_how_a_named_zone_fits() -> None:
    ours = entered(A_YEAR)
    search = ZoneSearch(listed(ours, "Europe/Berlin"), Tolerances())
    assert search.fitted(ZoneInfo("Europe/Berlin"), ours) == 73
    assert 20 < search.fitted(timezone(timedelta(hours=1)), ours) < 40
    assert search.fitted(ZoneInfo("Asia/Tokyo"), ours) == 0


def test_the_hour_that_comes_twice() -> None:
    """2:30 in Berlin on 26 October 2025 was at 0:30 UTC and at 1:30 UTC."""
    berlin = ZoneInfo("Europe/Berlin")
    local = datetime.fromisoformat("2025-10-26 02:30")
    first, second = (datetime(2025, 10, 26, hour, 30, tzinfo=UTC) for hour in (0, 1))
    minute = timedelta(minutes=1)
    assert instant(local, berlin, [], minute) == first
    assert instant(local, berlin, [second], minute) == second
    assert instant(local, berlin, [first, second], minute) == first
    ordinary = datetime.fromisoformat("2025-10-25 02:30")
    assert instant(ordinary, berlin, [second], minute) == datetime(2025, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("entered", "left", "known", "utc"),
    [
        # The exit is in the later hour where it would come first else,
        ("02:45", "02:15", [], ("00:45", "01:15")),
        # whatever else happened here then,
        ("02:45", "02:15", ["00:15"], ("00:45", "01:15")),
        ("02:45", "02:15", ["01:45"], ("00:45", "01:15")),
        # and also after an entry in the later one.
        ("02:15", "02:45", ["01:15"], ("01:15", "01:45")),
        # Else it is in the first one.
        ("02:15", "02:45", [], ("00:15", "00:45")),
        ("01:45", "02:15", [], ("23:45", "00:15")),
        # Clocks did not go back there.
        ("04:45", "04:15", [], ("03:45", "03:15")),
    ],
)
def test_an_exit_in_the_hour_that_comes_twice(
    entered: str, left: str, known: list[str], utc: tuple[str, str]
) -> None:
    def on_the_day(time: str) -> datetime:
        return datetime.fromisoformat(f"2025-10-26 {time}")

    entry, leaving = instants(
        on_the_day(entered), on_the_day(left), ZoneInfo("Europe/Berlin"),
        [on_the_day(time).replace(tzinfo=UTC) for time in known], timedelta(minutes=1),
    )  # fmt: skip
    assert (f"{entry:%H:%M}", f"{leaving:%H:%M}") == utc


def test_every_zone_that_is_tried_can_be_named() -> None:
    names = zone_names()
    assert len(names) > 400
    for name in names:
        assert zone_named(name).utcoffset(datetime.fromisoformat("2025-01-01")) is not None


def test_zones_as_people_name_them() -> None:
    at = datetime.fromisoformat("2025-07-01 12:00")
    for name, hours in (
        ("utc", 0),
        ("UTC+5:30", 5.5),
        ("-03:00", -3),
        ("GMT+2", 2),
        ("+1400", 14),
        ("−3", -3),
    ):
        assert zone_named(name).utcoffset(at) == timedelta(hours=hours)
    for name in (
        "",
        "Berlin",
        "UTC+25",
        "UTC+5:75",
        "UTC10",
        "UTC05:30",
        "0530",
        "../etc/passwd",
        "Europe/Nowhere",
        "/etc/passwd",
        "x" * 300,
    ):
        with pytest.raises(ValueError, match="is no time zone"):
            zone_named(name)
