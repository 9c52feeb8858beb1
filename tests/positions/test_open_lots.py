"""Books with many open lots, of which the first are read and the others summed up."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from faults import NoOpenPosition
from positions.models import Lot
from positions.netting import Intent, Netting, Order, net
from positions.open_lots import READ_FIRST, OpenLots, all_open_lots, net_open
from tests.alerts import Poster
from tests.factories import LotFactory, StrategyFactory, WebhookLogFactory
from tests.webhooks.test_laws import empty_tables
from trades.direction import Direction
from trades.models import Strategy, Trade
from webhooks.reconcile import find
from webhooks.standing import look

QUANTITIES = st.decimals("0.001", "3", places=3)
ORDERS = st.builds(
    Order,
    st.sampled_from([Intent.ORDER, Intent.EXIT]),
    st.sampled_from(Direction),
    st.decimals("0.001", "30", places=3),
)
FLATTEN = Order(Intent.FLATTEN, None, None)


def standing_of(strategy: Strategy) -> OpenLots:
    """What the alerts' way reads of the book."""
    symbol = "BINANCE:BTCUSDT"
    with transaction.atomic():
        standing = look(
            [f"{strategy.name}\x1f{symbol}", "Nobody\x1fX"],
            [uuid.uuid4()], ["none"], with_refused=False, seconds=2,
        )  # fmt: skip
    return standing.lots.get(f"{strategy.name}\x1f{symbol}", OpenLots())


def open_(strategy: Strategy, quantities: list[Decimal], direction: Direction) -> None:
    entered = WebhookLogFactory(status="processed")
    lots = [
        LotFactory.build(
            strategy=strategy, quantity=quantity, direction=direction, entry_webhook_log=entered
        )
        for quantity in quantities
    ]
    Lot.objects.bulk_create(lots)


@settings(max_examples=60)
@given(
    st.lists(QUANTITIES, max_size=2 * READ_FIRST),
    st.sampled_from(Direction),
    ORDERS | st.just(FLATTEN),
)
def test_an_order_does_what_it_does_against_every_lot(
    databases: None, quantities: list[Decimal], direction: Direction, order: Order
) -> None:
    empty_tables()
    strategy = StrategyFactory()
    open_(strategy, quantities, direction)
    # Another book's are not counted.
    open_(StrategyFactory(name="Beta"), quantities, direction)
    every = all_open_lots(strategy, "BINANCE:BTCUSDT")
    assert [lot.quantity for lot in every.first] == quantities
    read = standing_of(strategy)
    assert read.position == every.position
    try:
        expected: Netting | None = net(order, every.as_netted())
    except NoOpenPosition:
        with pytest.raises(NoOpenPosition):
            net_open(order, strategy, "BINANCE:BTCUSDT", read)
        return
    netting, whole = net_open(order, strategy, "BINANCE:BTCUSDT", read)
    assert netting == expected
    assert {closing.lot.id for closing in netting.closings} <= {lot.pk for lot in whole.first}


def test_no_more_than_the_first_lots_are_read(databases: None) -> None:
    strategy = StrategyFactory()
    open_(strategy, [Decimal(1)] * 200, Direction.SHORT)
    read = standing_of(strategy)
    assert [lot.pk for lot in read.first] == list(
        Lot.objects.order_by("id").values_list("pk", flat=True)[:READ_FIRST]
    )
    assert read.position == -200
    assert len(read.rest) == 1


def test_a_book_that_faces_both_ways_is_summed_up_as_it_is(databases: None) -> None:
    strategy = StrategyFactory()
    open_(strategy, [Decimal(1)] * 10, Direction.LONG)
    open_(strategy, [Decimal(2)] * 3, Direction.SHORT)
    assert standing_of(strategy).position == 4


def test_an_exit_closes_lots_far_behind_the_first(post: Poster) -> None:
    for number in range(12):
        post(order_id=str(number), price=str(100 + number), quantity="1")
    closed = post(action="sell", quantity="10.5", price="200")
    assert (closed["action"], len(closed["trade_ids"])) == ("reduced", 11)
    trades = list(Trade.objects.order_by("id").values_list("entry_price", "quantity"))
    half, one = Decimal("0.5"), Decimal(1)
    assert trades == [*((Decimal(100 + number), one) for number in range(10)), (Decimal(110), half)]
    left = Lot.objects.filter(status="open").order_by("id")
    assert list(left.values_list("entry_price", "quantity")) == [
        (Decimal(110), half),
        (Decimal(111), one),
    ]
    assert find() == []


def test_exits_that_waited_close_what_those_before_them_left(post: Poster) -> None:
    for number in range(10):
        post(order_id=str(number), quantity="1", price=str(100 + number))
    waiting = [
        post(action="cover", order_id=f"exit {number}", quantity="9", price="50")
        for number in range(2)
    ]
    assert [answer["status"] for answer in waiting] == ["parked", "parked"]
    # Turned round, the book has one lot; the second exit finds what the first one left of it.
    assert (
        post(action="short", quantity="18", price="120", order_id="short")["action"] == "reversed"
    )
    assert not Lot.objects.filter(status="open").exists()
    shorts = Trade.objects.filter(direction="short").values_list("quantity", flat=True)
    assert list(shorts) == [9, 9]
    assert find() == []
