"""The netting rule, and the laws that hold for any sequence of orders."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults import NoOpenPosition
from positions.netting import Effect, Intent, Netting, Opening, OpenLot, Order, net, signed_position
from trades.direction import Direction
from trades.numeric import exactly

LONG, SHORT = Direction.LONG, Direction.SHORT


def lots(*signed: str) -> list[OpenLot]:
    return [
        OpenLot(number, LONG if Decimal(quantity) > 0 else SHORT, Decimal(quantity.lstrip("-")))
        for number, quantity in enumerate(signed, start=1)
    ]


def order(intent: Intent, direction: Direction | None, quantity: str | None, **more: bool) -> Order:
    return Order(intent, direction, quantity and Decimal(quantity), **more)  # type: ignore[arg-type]


def closed(netting: Netting) -> list[tuple[int, Decimal]]:
    return [(closing.lot.id, closing.quantity) for closing in netting.closings]


@pytest.mark.parametrize(
    ("held", "asked", "effect", "after"),
    [
        ((), order(Intent.ORDER, LONG, "2"), Effect.OPENED, "2"),
        (("1",), order(Intent.ORDER, LONG, "2"), Effect.ADDED, "3"),
        (("3",), order(Intent.ORDER, SHORT, "2"), Effect.REDUCED, "1"),
        (("3",), order(Intent.ORDER, SHORT, "3"), Effect.CLOSED, "0"),
        (("3",), order(Intent.ORDER, SHORT, "5"), Effect.REVERSED, "-2"),
        (("-3",), order(Intent.ENTRY, LONG, "2"), Effect.REVERSED, "2"),
        (("-3",), order(Intent.ENTRY, LONG, "4", counts_closed=True), Effect.REVERSED, "1"),
        (("-3",), order(Intent.ENTRY, LONG, "3", counts_closed=True), Effect.REVERSED, "3"),
        (("-3",), order(Intent.EXIT, None, "2"), Effect.REDUCED, "-1"),
        (("-3",), order(Intent.EXIT, SHORT, "9"), Effect.CLOSED, "0"),
        (("-3", "-1"), order(Intent.FLATTEN, None, None), Effect.CLOSED, "0"),
    ],
)
def test_effect(held: tuple[str, ...], asked: Order, effect: Effect, after: str) -> None:
    netting = net(asked, lots(*held))
    assert (netting.effect, netting.after) == (effect, Decimal(after))


def test_lots_are_closed_first_in_first_out() -> None:
    netting = net(order(Intent.ORDER, SHORT, "2.5"), lots("1", "1", "1"))
    assert closed(netting) == [(1, Decimal(1)), (2, Decimal(1)), (3, Decimal("0.5"))]
    assert [closing.is_partial for closing in netting.closings] == [False, False, True]


def test_what_is_left_over_opens_the_other_way() -> None:
    assert net(order(Intent.ORDER, SHORT, "5"), lots("3")).opening == Opening(SHORT, Decimal(2))


@pytest.mark.parametrize(
    ("held", "side"), [((), None), ((), LONG), (("1",), SHORT), (("-1",), LONG)]
)
def test_exit_with_nothing_on_its_side(held: tuple[str, ...], side: Direction | None) -> None:
    with pytest.raises(NoOpenPosition):
        net(order(Intent.EXIT, side, None), lots(*held))


QUANTITIES = st.decimals("0.000000000000000001", "999999999999999999", places=18)
ORDERS = st.one_of(
    st.builds(
        Order,
        st.sampled_from([Intent.ENTRY, Intent.ORDER]),
        st.sampled_from([LONG, SHORT]),
        QUANTITIES,
        st.booleans(),
    ),
    st.builds(Order, st.just(Intent.EXIT), st.sampled_from([LONG, SHORT, None]), QUANTITIES),
    st.builds(Order, st.just(Intent.FLATTEN), st.none(), st.none()),
)


def settle(open_lots: list[OpenLot], netting: Netting, number: int) -> list[OpenLot]:
    """The lots after a netting, computed apart from the code under test."""
    left = {lot.id: lot.quantity for lot in open_lots}
    for closing in netting.closings:
        with exactly():
            left[closing.lot.id] -= closing.quantity
    rest = [OpenLot(lot.id, lot.direction, left[lot.id]) for lot in open_lots if left[lot.id]]
    if netting.opening:
        rest.append(OpenLot(number, netting.opening.direction, netting.opening.quantity))
    return rest


@given(st.lists(ORDERS, max_size=25))
def test_laws(orders: list[Order]) -> None:
    held: list[OpenLot] = []
    for number, asked in enumerate(orders):
        before = sum(Fraction(lot.quantity) * lot.direction.sign for lot in held)
        try:
            netting = net(asked, held)
        except NoOpenPosition:
            assert asked.intent in (Intent.EXIT, Intent.FLATTEN)
            continue
        held_before, held = held, settle(held, netting, number)
        # Lots never face both ways, and none is empty or overdrawn.
        assert len({lot.direction for lot in held}) <= 1
        assert all(lot.quantity > 0 for lot in held)
        # Quantities are conserved; fractions, so that nothing is rounded here.
        after = sum(Fraction(lot.quantity) * lot.direction.sign for lot in held)
        assert Fraction(netting.before) == before
        assert Fraction(netting.after) == after
        if asked.intent is Intent.ORDER:
            assert asked.direction and asked.quantity
            assert after - before == Fraction(asked.quantity) * asked.direction.sign
        if asked.intent is Intent.ENTRY:
            # Whatever its quantity counts, an entry opens something on its side.
            assert asked.direction and asked.quantity and netting.opening
            assert 0 < netting.opening.quantity <= asked.quantity
            assert after * asked.direction.sign > 0
        if asked.intent in (Intent.EXIT, Intent.FLATTEN):
            assert abs(Fraction(after)) < abs(Fraction(before))
            assert not after or (before > 0) is (after > 0)
        # First in, first out: what is closed is the head of the queue.
        closed_ids = [closing.lot.id for closing in netting.closings]
        assert closed_ids == [lot.id for lot in held_before][: len(closed_ids)]
        assert all(not closing.is_partial for closing in netting.closings[:-1])


def test_position_is_exact() -> None:
    assert signed_position(lots("999999999999999999.000000000000000001", "-1")) == Decimal(
        "999999999999999998.000000000000000001"
    )
