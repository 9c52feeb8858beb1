"""What people run today: a view that writes an alert's rows through the ORM.

No log, no idempotency, no trail; the same rows otherwise. And the way in which a view
answers 200 at once, and a thread of the process writes what a queue in memory holds.
"""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

from django.db import transaction
from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from positions.models import Lot, LotStatus
from trades.models import Strategy, Trade
from webhooks.models import LogStatus, WebhookLog

#: The trail's columns want something.
_FILLER = "0" * 64


class AlertSerializer(serializers.Serializer[Any]):
    strategy = serializers.CharField(max_length=100)
    ticker = serializers.CharField(max_length=100)
    action = serializers.ChoiceField(["buy", "sell"])
    contracts = serializers.DecimalField(max_digits=30, decimal_places=12)
    price = serializers.DecimalField(max_digits=30, decimal_places=12)
    time = serializers.IntegerField()
    order_id = serializers.CharField()


@transaction.atomic
def write(alert: dict[str, Any], payload: str) -> None:
    """The alert's row, and the lot it opens or the trade it makes."""
    strategy, _ = Strategy.objects.get_or_create(name=alert["strategy"])
    moment = datetime.fromtimestamp(alert["time"] / 1000, UTC)
    direction = "long" if alert["action"] == "buy" else "short"
    log = WebhookLog.objects.create(
        correlation_id=uuid.uuid4(),
        wal_id=0,
        idempotency_key=str(uuid.uuid4()),
        status=LogStatus.PROCESSED,
        strategy=strategy.name,
        symbol=alert["ticker"],
        payload=payload,
        source_address="127.0.0.1",
        received_at=timezone.now(),
        processed_at=timezone.now(),
        order_time=moment,
        direction=direction,
        quantity=alert["contracts"],
        price=alert["price"],
        chain=str(uuid.uuid4()),
        place=1,
        link=_FILLER,
        seal=_FILLER,
    )
    book = Lot.objects.select_for_update().filter(strategy=strategy, symbol=alert["ticker"])
    lot = book.filter(status=LotStatus.OPEN).exclude(direction=direction).order_by("id").first()
    if lot is None:
        Lot.objects.create(
            strategy=strategy,
            symbol=alert["ticker"],
            direction=direction,
            quantity=alert["contracts"],
            entry_price=alert["price"],
            entry_time=moment,
            entry_webhook_log=log,
        )
        return
    sign = 1 if lot.direction == "long" else -1
    trade = Trade.objects.create(
        strategy=strategy,
        symbol=lot.symbol,
        direction=lot.direction,
        quantity=lot.quantity,
        entry_price=lot.entry_price,
        exit_price=alert["price"],
        entry_time=lot.entry_time,
        exit_time=moment,
        pnl=sign * (alert["price"] - lot.entry_price) * lot.quantity,
    )
    lot.status = LotStatus.CLOSED
    lot.exit_webhook_log = log
    lot.trade = trade
    lot.save()
    log.trade = trade
    log.save()


class _Writing:
    """The queue in memory, and the thread that writes what it holds."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[dict[str, Any], str]] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, alert: dict[str, Any], payload: str) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        self._waiting.put((alert, payload))

    def _run(self) -> None:
        while True:
            write(*self._waiting.get())


_writing = _Writing()


class PlainView(APIView):
    """Answers once the rows are committed."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        payload = request._request.body.decode()
        alert = AlertSerializer(data=request.data)
        alert.is_valid(raise_exception=True)
        self.take(alert.validated_data, payload)
        return Response({"status": "ok"})

    def take(self, alert: dict[str, Any], payload: str) -> None:
        write(alert, payload)


class QueueView(PlainView):
    """Answers at once."""

    def take(self, alert: dict[str, Any], payload: str) -> None:
        _writing.put(alert, payload)


urlpatterns = [path("plain/", PlainView.as_view()), path("queue/", QueueView.as_view())]
