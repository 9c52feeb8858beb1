"""Statements that wait for each other, and go to PostgreSQL together."""

from __future__ import annotations

import uuid

import pytest
from django.db import DataError, IntegrityError, connection, models
from django.utils import timezone
from psycopg.pq import PipelineStatus

import rows
from positions.models import Lot
from tests.factories import LotFactory
from trades.models import Strategy, Trade
from webhooks.models import LogStatus, WebhookLog

pytestmark = pytest.mark.usefixtures("databases")


@pytest.mark.usefixtures("together")
def test_more_than_the_kernel_takes_at_once_goes_with_the_commit() -> None:
    long = "x" * 8_000_000
    with rows.transaction_in_few_trips():
        rows.ask_to_insert([Strategy(name="Alpha")])
        length = rows.ask("SELECT length(%s)", [long])
        assert connection.connection.pgconn.pipeline_status == PipelineStatus.ON
    assert length() == [(len(long),)]
    assert Strategy.objects.exists()


def test_what_fails_at_the_end_leaves_nothing() -> None:
    with pytest.raises(DataError), rows.transaction_in_few_trips():
        rows.ask_to_insert([Strategy(name="Alpha")])
        rows.ask("SELECT 1 / 0")
    assert not Strategy.objects.exists()
    with rows.transaction_in_few_trips():
        assert rows.ask("SELECT 1")() == [(1,)]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (WebhookLog, {"status": LogStatus.PARKED, "trade_id": 7, "symbol": "ES1!"}),
        (Lot, {"strategy_id": 3, "quantity": 2}),
        (Trade, {}),
        (Strategy, {"name": "Alpha"}),
    ],
)
def test_a_new_row_is_what_its_model_would_make(
    model: type[models.Model], told: dict[str, object]
) -> None:
    ours, djangos = rows.new(model, **told), model(**told)
    assert fields_of(ours) == fields_of(djangos)
    assert (ours.pk, ours._state.adding) == (None, True)


def fields_of(row: models.Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_new_rows_share_nothing_that_can_be_changed() -> None:
    rows.new(WebhookLog).error_fields["price"] = "required"
    assert rows.new(WebhookLog).error_fields == {}


def test_a_new_row_has_no_field_that_its_model_has_not() -> None:
    with pytest.raises(IndexError):
        rows.new(Strategy, price=1)


def test_rows_refer_by_name_to_rows_that_have_no_id_yet() -> None:
    alerts = [lot.entry_webhook_log for lot in LotFactory.create_batch(3)]
    names = [alert.correlation_id for alert in alerts]
    lots = LotFactory.create_batch(2)
    strategy = Strategy.objects.create(name="Referring")
    new = rows.new(
        Lot, strategy_id=strategy.pk, symbol="ES1!", direction="long", quantity=1,
        entry_price=1, entry_time=timezone.now(),
    )  # fmt: skip
    with rows.transaction_in_few_trips():
        # In another order than theirs.
        by_name = {"entry_webhook_log_id": ("correlation_id", [names[2], names[0]])}
        rows.update(lots, ("symbol", "entry_webhook_log_id"), by_name)
        take_id = rows.ask_to_insert(
            [new], {"entry_webhook_log_id": ("correlation_id", [names[1]])}
        )
    take_id()
    kept = [Lot.objects.get(pk=lot.pk).entry_webhook_log for lot in (*lots, new)]
    assert kept == [alerts[2], alerts[0], alerts[1]]


def test_a_name_that_nobody_has_is_no_reference() -> None:
    [lot] = LotFactory.create_batch(1)
    with pytest.raises(IntegrityError), rows.transaction_in_few_trips():
        by_name = {"entry_webhook_log_id": ("correlation_id", [uuid.uuid4()])}
        rows.update([lot], ("entry_webhook_log_id",), by_name)
