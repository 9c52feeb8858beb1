"""The calendar of P&L: every day in its place, and its colour by its size."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tradelog.pnl_calendar import day_calendar, level, month_calendar
from trades.performance import Tally, tally, total

LAST = date(2026, 3, 12)  # A Thursday.


def day(pnl: str) -> Tally:
    return tally([Decimal(pnl)])


def test_a_year_is_53_columns_and_ends_with_its_last_day() -> None:
    calendar = day_calendar({}, first=date(2020, 1, 1), last=LAST)
    assert len(calendar.weekdays) == 7
    assert {len(row) for row in calendar.weekdays} == {53} == {len(calendar.weeks)}
    assert calendar.weekdays[3][-1].first == LAST
    # Friday to Sunday of that week are still to come.
    assert [row[-1].is_covered for row in calendar.weekdays] == [True] * 4 + [False] * 3
    assert all(cell.is_covered for row in calendar.weekdays for cell in row[:-1])


def test_a_short_period_has_the_weeks_it_touches() -> None:
    calendar = day_calendar({}, first=date(2026, 3, 8), last=LAST)  # From a Sunday.
    assert [(cell.first, cell.last) for cell in calendar.weeks] == [
        (date(2026, 3, 8), date(2026, 3, 8)),
        (date(2026, 3, 9), LAST),
    ]
    assert [row[0].is_covered for row in calendar.weekdays] == [False] * 6 + [True]


def test_days_weeks_and_months_add_up() -> None:
    days = {
        date(2026, 1, 31): day("10"),  # Saturday; its week ends in February.
        date(2026, 2, 1): day("-4"),
        date(2026, 2, 2): day("1"),
    }
    calendar = day_calendar(days, first=date(2026, 1, 1), last=date(2026, 2, 28))
    weeks = {cell.first: cell.tally.net for cell in calendar.weeks if cell.tally}
    assert weeks == {date(2026, 1, 26): 6, date(2026, 2, 2): 1}
    months = {
        heading.month.first: heading.month.tally.net
        for heading in calendar.headings
        if heading.month.tally
    }
    assert months == {date(2026, 1, 1): 10, date(2026, 2, 1): -3}


def test_a_month_stands_over_the_weeks_whose_thursday_it_has() -> None:
    calendar = day_calendar({}, first=date(2026, 1, 1), last=date(2026, 2, 28))
    assert [(heading.month.first.month, heading.columns) for heading in calendar.headings] == [
        (1, 5),
        (2, 4),
    ]


def test_what_lies_outside_is_left_out() -> None:
    days = {LAST - timedelta(days=30): day("5"), LAST + timedelta(days=1): day("7"), LAST: day("1")}
    calendar = day_calendar(days, first=LAST - timedelta(days=2), last=LAST)
    assert total(cell.tally for cell in calendar.weeks if cell.tally).net == 1


def test_colours_go_by_size() -> None:
    scale = Decimal(100)
    sizes = {"0": 0, "1": 1, "25": 2, "60": 3, "75": 4, "100": 4, "5000": 4}
    for size, strength in sizes.items():
        assert level(Decimal(size), scale) == strength
        assert level(-Decimal(size), scale) == -strength


def test_one_wild_day_does_not_pale_the_others() -> None:
    days = {LAST - timedelta(days=number): day("10") for number in range(1, 20)}
    calendar = day_calendar(days | {LAST: day("100000")}, first=date(2026, 1, 1), last=LAST)
    levels = {cell.level for row in calendar.weekdays for cell in row if cell.tally}
    assert levels == {4}


def test_years_of_months_are_those_with_trades() -> None:
    days = {
        date(2024, 12, 31): day("5"),
        date(2026, 2, 3): day("-2"),
        date(2026, 2, 4): day("3"),
    }
    latest, oldest = month_calendar(days, first=date(2024, 12, 30), last=LAST)
    assert (latest.year.first, oldest.year.first) == (date(2026, 1, 1), date(2024, 12, 30))
    assert (latest.year.last, latest.months[2].last) == (LAST, LAST)
    assert latest.year.tally is not None and latest.year.tally.net == 1
    february = latest.months[1]
    assert february.tally == total([day("-2"), day("3")])
    assert (february.first, february.last) == (date(2026, 2, 1), date(2026, 2, 28))
    december = oldest.months[11]
    assert (december.first, december.last) == (date(2024, 12, 30), date(2024, 12, 31))
    assert [month.first.month for month in oldest.months] == list(range(1, 13))
    assert month_calendar({}, first=LAST, last=LAST) == []


@given(
    st.dictionaries(
        st.dates(date(2015, 1, 1), date(2030, 12, 31)),
        st.decimals(-1000, 1000, places=2, allow_nan=False).map(lambda pnl: tally([pnl])),
        max_size=40,
    )
)
def test_nothing_is_lost_or_counted_twice(days: dict[date, Tally]) -> None:
    first, last = min(days, default=LAST), max(days, default=LAST)
    years = month_calendar(days, first=first, last=last)
    for cell in (cell for row in years for cell in (row.year, *row.months) if cell.tally):
        within = (tally for day, tally in days.items() if cell.first <= day <= cell.last)
        assert first <= cell.first <= cell.last <= last and cell.tally == total(within)
    months = [cell.tally for row in years for cell in row.months if cell.tally]
    assert total(months) == total(days.values())
    calendar = day_calendar(days, first=date(2015, 1, 1), last=last)
    shown = [cell.tally for row in calendar.weekdays for cell in row if cell.tally]
    begin = calendar.weeks[0].first
    assert total(shown) == total(tally for day, tally in days.items() if day >= begin)
    assert total(cell.tally for cell in calendar.weeks if cell.tally) == total(shown)
