"""The API's rows: trades, lots, alerts, strategies."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import F, Model, Prefetch, QuerySet
from rest_framework.viewsets import ReadOnlyModelViewSet

from positions.models import Lot
from tradelog.api import filters, serializers
from tradelog.api.base import ReadOnly
from tradelog.api.paging import CursorPages
from trades.corrections import that_stand, told_as_counted
from trades.models import Correction, Strategy, Trade
from webhooks.models import WebhookLog


class Rows(ReadOnly, ReadOnlyModelViewSet):
    """A list in pages, and each row by its id."""

    model: ClassVar[type[Model]]
    #: The one serializer for rows in a list, and for one by itself.
    detail_serializer_class: Any = None
    filter_backends = (filters.Filtering,)
    pagination_class = CursorPages
    #: A time that rows are found by as fast as by their id.
    indexed_time: str | None = None
    lookup_value_converter = "int"

    def get_serializer_class(self) -> Any:
        in_detail = self.detail_serializer_class if self.action == "retrieve" else None
        return in_detail or super().get_serializer_class()


class TradeRows(Rows):
    """Trades: closed lots, each as it was logged and as it is corrected."""

    model = Trade
    serializer_class = serializers.TradeSerializer
    detail_serializer_class = serializers.TradeDetailSerializer
    filterset_class = filters.TradeFilters
    indexed_time = "exit_time"

    def get_queryset(self) -> QuerySet[Trade]:
        corrections = Correction.objects.select_related("made_by")
        trades = Trade.objects.select_related("strategy").prefetch_related(that_stand(corrections))
        if self.action == "retrieve":
            trades = trades.prefetch_related(Prefetch("corrections", corrections))
        return told_as_counted(trades).annotate(
            position_id=F("lot__pk"),
            entry_alert_id=F("lot__entry_webhook_log"),
            entry_correlation_id=F("lot__entry_webhook_log__correlation_id"),
            exit_alert_id=F("lot__exit_webhook_log"),
            exit_correlation_id=F("lot__exit_webhook_log__correlation_id"),
        )


class LotRows(Rows):
    """Positions: lots, open and closed. A closed one has its trade."""

    model = Lot
    serializer_class = serializers.LotSerializer
    filterset_class = filters.LotFilters
    indexed_time = "entry_time"

    def get_queryset(self) -> QuerySet[Lot]:
        return Lot.objects.select_related("strategy").annotate(
            entry_alert_id=F("entry_webhook_log"),
            entry_correlation_id=F("entry_webhook_log__correlation_id"),
            exit_alert_id=F("exit_webhook_log"),
            exit_correlation_id=F("exit_webhook_log__correlation_id"),
        )


class AlertRows(Rows):
    """Alerts: what each said, what it did, or why it did nothing."""

    model = WebhookLog
    serializer_class = serializers.AlertSerializer
    detail_serializer_class = serializers.AlertDetailSerializer
    filterset_class = filters.AlertFilters
    indexed_time = "received_at"

    def get_queryset(self) -> QuerySet[WebhookLog]:
        alerts = WebhookLog.objects.all()
        return alerts if self.action == "retrieve" else alerts.defer("payload")


class StrategyRows(Rows):
    """Strategies, as their alerts name them."""

    model = Strategy
    serializer_class = serializers.StrategySerializer
    filterset_class = filters.StrategyFilters

    def get_queryset(self) -> QuerySet[Strategy]:
        return Strategy.objects.all()
