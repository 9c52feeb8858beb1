"""What rows say. Amounts are strings with every digit; times are ISO 8601, in UTC."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from positions.models import Lot
from trades.columns import ExactField
from trades.models import Correction, Strategy, Trade
from webhooks.models import WebhookLog


class AmountField(serializers.DecimalField):
    """A decimal as a string, with every digit and no exponent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": None, "decimal_places": None, **options})


class RowSerializer(serializers.ModelSerializer):
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        ExactField: AmountField,
    }


class StrategySerializer(RowSerializer):
    class Meta:
        model = Strategy
        fields = ("id", "name", "enabled", "default_quantity", "point_value", "created_at")


class CorrectionSerializer(RowSerializer):
    """What a trade should have said."""

    made_by = serializers.CharField(source="made_by.username", help_text="The user's name.")
    # No field of the model's: corrections from before it was told have their trade's.
    point_value = AmountField(help_text="The trade's own where the correction told none.")

    class Meta:
        model = Correction
        fields = (
            "id",
            "made_at",
            "made_by",
            "reason",
            "quantity",
            "entry_price",
            "exit_price",
            "point_value",
            "commission",
            "pnl",
        )


class _OfAlertsSerializer(RowSerializer):
    """A row of a book, and the alerts that entered and closed it."""

    strategy = serializers.CharField(source="strategy.name", help_text="The strategy's name.")
    strategy_id = serializers.IntegerField()
    entry_alert_id = serializers.IntegerField(allow_null=True)
    entry_correlation_id = serializers.UUIDField(allow_null=True)
    exit_alert_id = serializers.IntegerField(allow_null=True)
    exit_correlation_id = serializers.UUIDField(allow_null=True)


class TradeSerializer(_OfAlertsSerializer):
    """A closed lot as it was logged, and the correction that stands."""

    correction = serializers.SerializerMethodField(help_text="The one that stands; else null.")
    pnl_counted = AmountField(
        source="counted_pnl",
        help_text="The P&L that sums use: the correction's, else the trade's own.",
    )
    is_counted = serializers.BooleanField(
        help_text="False where a correction says that the trade never happened."
    )
    position_id = serializers.IntegerField(allow_null=True, help_text="Its lot.")
    is_imported = serializers.SerializerMethodField(
        help_text="Whether an export of TradingView's brought it in, and no alert."
    )
    import_id = serializers.IntegerField(source="import_batch_id", allow_null=True)

    class Meta:
        model = Trade
        fields: tuple[str, ...] = (
            "id",
            "strategy",
            "strategy_id",
            "symbol",
            "direction",
            "quantity",
            "entry_price",
            "entry_time",
            "exit_price",
            "exit_time",
            "point_value",
            "commission",
            "pnl",
            "pnl_reported",
            "pnl_discrepancy",
            "currency",
            "correction",
            "pnl_counted",
            "is_counted",
            "position_id",
            "entry_alert_id",
            "entry_correlation_id",
            "exit_alert_id",
            "exit_correlation_id",
            "is_imported",
            "import_id",
            "created_at",
        )

    @extend_schema_field(CorrectionSerializer(allow_null=True))
    def get_correction(self, trade: Trade) -> Any:
        standing: list[Correction] = trade.that_stand  # type: ignore[attr-defined]
        return CorrectionSerializer(standing[0]).data if standing else None

    def get_is_imported(self, trade: Trade) -> bool:
        return trade.import_batch_id is not None


class TradeDetailSerializer(TradeSerializer):
    """The same with all of its corrections."""

    corrections = CorrectionSerializer(many=True, help_text="Latest first.")

    class Meta(TradeSerializer.Meta):
        fields = (*TradeSerializer.Meta.fields, "corrections")


class LotSerializer(_OfAlertsSerializer):
    """A quantity that one alert entered at one price."""

    class Meta:
        model = Lot
        fields = (
            "id",
            "status",
            "strategy",
            "strategy_id",
            "symbol",
            "direction",
            "quantity",
            "entry_price",
            "entry_time",
            "entry_commission",
            "currency",
            "trade_id",
            "entry_alert_id",
            "entry_correlation_id",
            "exit_alert_id",
            "exit_correlation_id",
        )


class AlertSerializer(RowSerializer):
    """What an alert did, or why it did nothing."""

    error_fields = serializers.DictField(
        child=serializers.CharField(), help_text="What is wrong with each field, by its name."
    )

    class Meta:
        model = WebhookLog
        fields: tuple[str, ...] = (
            "id",
            "correlation_id",
            "wal_id",
            "status",
            "error_code",
            "error_message",
            "error_fields",
            "strategy",
            "symbol",
            "action",
            "direction",
            "quantity",
            "price",
            "order_time",
            "received_at",
            "processed_at",
            "position_before",
            "position_after",
            "tradingview_before",
            "tradingview_after",
            "drift",
            "is_test",
            "token_name",
            "trade_id",
        )


class AlertDetailSerializer(AlertSerializer):
    """The same with its message, secrets cut out, and where it came from."""

    class Meta(AlertSerializer.Meta):
        fields = (*AlertSerializer.Meta.fields, "idempotency_key", "source_address", "payload")
