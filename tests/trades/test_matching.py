"""Trades are paired one to one, as many as can be and the nearest of them."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trades.comparison.assignment import assign
from trades.comparison.groups import TradeGroup, taken_together
from trades.comparison.matching import Matching, match
from trades.comparison.tolerances import (
    Tolerance,
    Tolerances,
    read_time_tolerance,
    read_tolerance,
)
from trades.direction import Direction

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def group(
    number: int = 1,
    *,
    entered: float = 0,
    left: float | None = 3600,
    at: str = "100",
    out: str = "110",
    quantity: str = "1",
    direction: Direction = Direction.LONG,
) -> TradeGroup:
    """A trade; times in seconds after noon, open where it did not leave."""
    return TradeGroup(
        direction,
        NOON + timedelta(seconds=entered),
        Decimal(at),
        None if left is None else NOON + timedelta(seconds=left),
        None if left is None else Decimal(out),
        Decimal(quantity),
        trades=(number,),
    )


def numbers(matching: Matching) -> dict[int, int]:
    return {
        pair.theirs.trades[0]: pair.ours.trades[0]
        for pair in (*matching.matched, *matching.differing)
    }


# Assignment.

COSTS = st.lists(st.dictionaries(st.integers(0, 4), st.integers(0, 9), max_size=5), max_size=5)


def best(costs: Sequence[Mapping[int, int]]) -> tuple[int, int]:
    """By trying all: the number of pairs, and the least cost of so many."""
    columns = [*range(5), *[None] * len(costs)]
    tried = set()
    for chosen in set(permutations(columns, len(costs))):
        pairs = [(row, column) for row, column in enumerate(chosen) if column is not None]
        if all(column in costs[row] for row, column in pairs):
            tried.add((-len(pairs), sum(costs[row][column] for row, column in pairs)))
    fewest, cost = min(tried)
    return -fewest, cost


@given(costs=COSTS)
def test_no_assignment_has_more_pairs_or_as_many_for_less(costs: list[dict[int, int]]) -> None:
    assigned = assign(costs)
    assert len(set(assigned.values())) == len(assigned)
    assert (
        len(assigned),
        sum(costs[row][column] for row, column in assigned.items()),
    ) == best(costs)


def test_the_cheapest_first_is_not_the_best() -> None:
    costs = [{0: 1, 1: 2}, {0: 2}]
    # The cheapest pair takes away the only column that the other row can have.
    assert assign(costs) == {0: 1, 1: 0}
    assert assign([{0: 1, 1: 3}, {0: 2, 1: 9}]) == {0: 1, 1: 0}


# Matching.


def test_optimal_beats_greedy() -> None:
    """TradingView's at 0 and 50; ours at 40 and 100: nearest first would leave one of each."""
    theirs = [group(1, entered=0), group(2, entered=50)]
    ours = [group(11, entered=40), group(12, entered=100)]
    matching = match(theirs, ours, Tolerances())
    assert numbers(matching) == {1: 11, 2: 12}
    assert not matching.only_theirs and not matching.only_ours and not matching.differing


def test_equal_ones_are_matched_before_any_others() -> None:
    theirs = [group(1, entered=0), group(2, entered=30)]
    ours = [group(11, entered=30), group(12, entered=60)]
    matching = match(theirs, ours, Tolerances())
    # Not 1 to 11 and 2 to 12, which are nearer in all.
    assert {pair.theirs.trades[0]: pair.ours.trades[0] for pair in matching.matched} == {
        1: 12,
        2: 11,
    }


@pytest.mark.parametrize(
    ("changes", "field", "by"),
    [
        ({"entered": 61}, "entry_time", timedelta(seconds=61)),
        ({"left": 3000}, "exit_time", timedelta(seconds=-600)),
        ({"at": "100.01"}, "entry_price", Decimal("0.01")),
        ({"out": "109.9"}, "exit_price", Decimal("-0.1")),
        ({"quantity": "1.01"}, "quantity", Decimal("0.01")),
        ({"left": None}, "exit_time", None),
    ],
)
def test_a_difference_names_its_field_and_how_much(
    changes: dict[str, object], field: str, by: object
) -> None:
    matching = match([group()], [group(11, **changes)], Tolerances())  # type: ignore[arg-type]
    (pair,) = matching.differing
    assert not matching.matched
    assert (pair.differences[0].field, pair.differences[0].by) == (field, by)
    assert len(pair.differences) == (2 if by is None else 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"entered": 60, "left": 3540}, {"at": "100.001"}, {"out": "109.9989"},
        {"quantity": "1.001"}, {"quantity": "0.999"},
    ],
)  # fmt: skip
def test_what_is_within_the_tolerance_matches(changes: dict[str, object]) -> None:
    matching = match([group()], [group(11, **changes)], Tolerances())  # type: ignore[arg-type]
    assert len(matching.matched) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"direction": Direction.SHORT},
        {"entered": 600, "left": 7200},
        {"entered": 600, "out": "120"},
        {"left": 7200, "at": "90"},
    ],
)
def test_what_is_another_trade(changes: dict[str, object]) -> None:
    matching = match([group()], [group(11, **changes)], Tolerances())  # type: ignore[arg-type]
    assert not numbers(matching)
    assert (len(matching.only_theirs), len(matching.only_ours)) == (1, 1)


def test_of_several_the_one_with_the_fewest_differences() -> None:
    theirs = [group(1, at="100"), group(2, at="200", quantity="2")]
    ours = [group(11, at="201", quantity="2"), group(12, at="150")]
    assert numbers(match(theirs, ours, Tolerances())) == {1: 12, 2: 11}


def test_tolerances_are_kept_to() -> None:
    wide = Tolerances(timedelta(seconds=120), Tolerance(Decimal(5)), Tolerance(Decimal("0.5")))
    assert match([group()], [group(11, entered=120, at="105", quantity="1.5")], wide).matched
    assert match([group()], [group(11, entered=120, at="105.1", quantity="1.5")], wide).differing
    none = Tolerances(timedelta(0), Tolerance(Decimal(0)), Tolerance(Decimal(0)))
    assert match([group()], [group(11)], none).matched
    assert match([group()], [group(11, left=3601)], none).differing


def test_one_lot_that_is_listed_as_several_rows() -> None:
    theirs = taken_together([group(1, quantity="7"), group(2, quantity="3")])
    ours = taken_together([group(11, quantity="10")])
    (pair,) = match(theirs, ours, Tolerances()).matched
    assert pair.theirs.trades == (1, 2)
    assert pair.theirs.quantity == 10


@given(
    shifts=st.lists(st.integers(0, 40), min_size=1, max_size=12),
    tolerance=st.integers(0, 30),
)
def test_every_trade_is_told_once(shifts: list[int], tolerance: int) -> None:
    theirs = taken_together(group(n, entered=10 * n) for n in range(len(shifts)))
    ours = taken_together(group(n, entered=10 * n + by) for n, by in enumerate(shifts))
    matching = match(theirs, ours, Tolerances(timedelta(seconds=tolerance)))
    paired = [*matching.matched, *matching.differing]
    told = [*(pair.theirs for pair in paired), *matching.only_theirs]
    assert sorted(told, key=str) == sorted(theirs, key=str)
    assert sorted((*(pair.ours for pair in paired), *matching.only_ours), key=str) == sorted(
        ours, key=str
    )
    assert all(
        abs(pair.theirs.entry_time - pair.ours.entry_time) <= timedelta(seconds=tolerance)
        for pair in matching.matched
    )


MANY = 10_000


@pytest.mark.parametrize(
    ("theirs", "ours", "matched", "differing"),
    [
        # Every minute one, so that each may be its neighbour too; all of them a second late.
        pytest.param(
            lambda n: group(n, entered=60 * n, left=60 * n + 60),
            lambda n: group(n, entered=60 * n + 1, left=60 * n + 61),
            MANY, 0, id="a second late",
        ),
        # Half of the time nearer to the wrong one.
        pytest.param(
            lambda n: group(n, entered=60 * n, left=60 * n + 60),
            lambda n: group(n, entered=60 * n + 31, left=60 * n + 91),
            MANY, 0, id="half a minute late",
        ),
        pytest.param(
            lambda n: group(n, entered=60 * n, left=60 * n + 60),
            lambda n: group(n, entered=60 * n + 1, left=60 * n + 61) if n % 10 else None,
            MANY - MANY // 10, 0, id="every tenth missing",
        ),
        pytest.param(
            lambda n: group(n, entered=60 * n, left=60 * n + 60, at=str(100 + n % 7)),
            lambda n: group(n, entered=60 * n, left=60 * n + 60, at=str(110 + n % 7)),
            0, MANY, id="all at another price",
        ),
        # Far more in a minute than there can be.
        pytest.param(
            lambda n: group(n, entered=n / 2, left=n / 2 + 60),
            lambda n: group(n, entered=n / 2 + 0.1, left=n / 2 + 60.1),
            MANY, 0, id="two a second",
        ),
    ],
)  # fmt: skip
def test_ten_thousand_a_side(theirs, ours, matched: int, differing: int) -> None:
    listed = [theirs(n) for n in range(MANY)]
    here = [one for n in range(MANY) if (one := ours(n)) is not None]
    begun = time.process_time()
    matching = match(listed, here, Tolerances())
    assert time.process_time() - begun < 20
    assert (len(matching.matched), len(matching.differing)) == (matched, differing)


def test_ten_thousand_a_side_take_little_memory() -> None:
    listed = [group(n, entered=60 * n, left=60 * n + 60) for n in range(MANY)]
    here = [group(n, entered=60 * n + 1, left=60 * n + 61) for n in range(MANY)]
    tracemalloc.start()
    match(listed, here, Tolerances())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A matrix of so many would have 100 million cells.
    assert peak < 60 * 1024 * 1024


# What may be given.


@pytest.mark.parametrize(
    ("text", "tolerance"),
    [
        ("0.05", Tolerance(Decimal("0.05"))),
        ("0", Tolerance(Decimal(0))),
        ("0.1%", Tolerance(Decimal("0.001"), is_share=True)),
        (" 5% ", Tolerance(Decimal("0.05"), is_share=True)),
    ],
)
def test_tolerances_as_text(text: str, tolerance: Tolerance) -> None:
    assert read_tolerance(text) == tolerance
    assert read_tolerance(str(tolerance)) == tolerance


@pytest.mark.parametrize("text", ["", "-1", "x", "nan", "1e99", "101%", "%", "inf%"])
def test_no_tolerances(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no tolerance|more than all"):
        read_tolerance(text)


def test_time_tolerances_as_text() -> None:
    texts = {"90": 90, "0": 0, "45s": 45, "5m": 300, "4h": 14400, "1d": 86400}
    for text, seconds in texts.items():
        assert read_time_tolerance(text) == timedelta(seconds=seconds)
    for text in ("", "-5", "2d", "1.5", "5 years", "m"):
        with pytest.raises(ValueError, match="is no time up to a day"):
            read_time_tolerance(text)
