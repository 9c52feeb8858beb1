"""Rows that tests need and no alert brings about, each with the least that makes sense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import factory
from django.conf import settings

from positions.models import Lot
from trades.models import Strategy, Trade
from wal.models import Entry, EntryStatus, Refusal
from webhooks.models import LogStatus, WebhookLog


class StrategyFactory(factory.django.DjangoModelFactory[Strategy]):
    class Meta:
        model = Strategy
        django_get_or_create = ("name",)

    name = "Alpha"


class EntryFactory(factory.django.DjangoModelFactory[Entry]):
    """An entry that waits for its effect; other states by `status`."""

    class Meta:
        model = Entry

    body = b"{}"
    status = EntryStatus.PENDING
    received_at = factory.LazyFunction(lambda: datetime.now(UTC))

    @factory.lazy_attribute
    def claimed_until(self) -> Any:
        lease = timedelta(seconds=settings.LEASE_SECONDS)
        return self.received_at + lease if self.status == "processing" else None

    @factory.lazy_attribute
    def settled_at(self) -> Any:
        return None if self.status in ("pending", "processing", "parked") else self.received_at


class RefusalFactory(factory.django.DjangoModelFactory[Refusal]):
    class Meta:
        model = Refusal

    refused_at = factory.LazyFunction(lambda: datetime.now(UTC))
    book = "Alpha\x1fBINANCE:BTCUSDT"
    token_name = "tradingview"
    address = "52.89.214.238"


class WebhookLogFactory(factory.django.DjangoModelFactory[WebhookLog]):
    class Meta:
        model = WebhookLog

    correlation_id = factory.Faker("uuid4")
    idempotency_key = factory.Sequence("key-{}".format)
    wal_id = factory.Sequence(lambda number: 1_000_000 + number)
    status = LogStatus.REJECTED
    error_code = factory.LazyAttribute(
        lambda log: "" if log.status == LogStatus.PROCESSED else "INVALID_PAYLOAD"
    )
    payload = "{}"
    chain = "made by a test"
    place = factory.Sequence(lambda number: number + 1)
    link = "no hash"
    seal = "no hash"
    received_at = factory.LazyFunction(lambda: datetime.now(UTC))
    processed_at = factory.SelfAttribute("received_at")


class TradeFactory(factory.django.DjangoModelFactory[Trade]):
    """A closed lot; its prices do not say how its P&L came about."""

    class Meta:
        model = Trade

    strategy = factory.SubFactory(StrategyFactory)
    symbol = "BINANCE:BTCUSDT"
    direction = "long"
    quantity = Decimal(1)
    entry_price = Decimal(100)
    exit_price = Decimal(101)
    exit_time = factory.LazyFunction(lambda: datetime.now(UTC))
    entry_time = factory.LazyAttribute(lambda trade: trade.exit_time - timedelta(hours=1))
    pnl = Decimal(1)
    currency = "USD"


class LotFactory(factory.django.DjangoModelFactory[Lot]):
    """An open lot."""

    class Meta:
        model = Lot

    strategy = factory.SubFactory(StrategyFactory)
    symbol = "BINANCE:BTCUSDT"
    direction = "long"
    quantity = Decimal(1)
    entry_price = Decimal(100)
    entry_time = factory.LazyFunction(lambda: datetime.now(UTC))
    entry_webhook_log = factory.SubFactory(WebhookLogFactory, status=LogStatus.PROCESSED)
