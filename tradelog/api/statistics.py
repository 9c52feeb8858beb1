"""How trades turned out, as the Overview has it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from positions.exposure import symbols_held
from tradelog.api.base import ReadOnly
from tradelog.api.parameters import check_parameters
from tradelog.api.serializers import AmountField
from tradelog.overview_filters import NO_CURRENCY, Filters, TradesForm
from tradelog.overview_trades import SummedUp, steps_are, summed_up_trades
from tradelog.timezones import zone_names
from trades import performance
from trades.books import TradedBook, traded_books
from trades.models import Strategy, Trade
from trades.performance import Tally
from trades.results import Results


class StatisticsForm(TradesForm):
    """The parameters of the statistics' address."""

    strategy_id = forms.ModelChoiceField(
        Strategy.objects.all(),
        required=False,
        error_messages={"invalid_choice": "There is no such strategy."},
    )
    time_zone = forms.ChoiceField(
        required=False,
        error_messages={"invalid_choice": "There is no time zone “%(value)s”."},
    )

    def __init__(self, parameters: Any, **known: Any) -> None:
        super().__init__(parameters, **known)
        self.fields["time_zone"].choices = [(name, name) for name in zone_names()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        by_id = cleaned.get("strategy_id")
        if by_id and cleaned.get("strategy") not in (None, "", by_id.name):
            self.add_error("strategy_id", "This is another strategy than “strategy” names.")
        elif by_id:
            cleaned["strategy"] = by_id.name
        return cleaned


def _amount(text: str, **options: Any) -> AmountField:
    return AmountField(help_text=text, **options)


class FiguresSerializer(serializers.Serializer):
    """docs/overview.md says what each number means. Money is in the currency, after commission."""

    trades = serializers.IntegerField()
    wins = serializers.IntegerField()
    losses = serializers.IntegerField()
    win_rate = _amount("Winning trades among all, 0 to 1.", allow_null=True)
    profit_factor = _amount("Gross profit / gross loss.", allow_null=True)
    expectancy = _amount("Net P&L / trades.", allow_null=True)
    average_win = _amount("Gross profit / winning trades.", allow_null=True)
    average_loss = _amount("Gross loss / losing trades.", allow_null=True)
    gross_profit = _amount("What was won.")
    gross_loss = _amount("What was lost, 0 or more.")
    net_pnl = _amount("Gross profit − gross loss.")
    max_drawdown = _amount("The largest fall of the equity from a peak, 0 or more.")
    sharpe = _amount("Sharpe ratio by day, scaled to a year.", allow_null=True)
    discrepancies = serializers.IntegerField(
        help_text="Trades whose reported P&L is another than the calculated one, and that no "
        "correction stands for."
    )


class GroupFiguresSerializer(FiguresSerializer):
    """The trades of one strategy, or on one symbol."""

    name = serializers.CharField()


class CurrencyFiguresSerializer(FiguresSerializer):
    """The trades of one currency: money of two is never added."""

    currency = serializers.CharField(help_text="Empty where the alerts told none.")
    days = serializers.IntegerField(help_text="On which trades were closed.")
    strategies = GroupFiguresSerializer(many=True, help_text="Most trades first.")
    symbols = GroupFiguresSerializer(many=True, help_text="Most trades first.")


class StatisticsSerializer(serializers.Serializer):
    """How the trades that were closed in a period turned out, corrections counted."""

    time_zone = serializers.CharField(help_text="At whose midnight a day begins.")
    is_shortened = serializers.BooleanField(
        help_text="Whether the period is less than the year it would be, because that has more "
        "than 30,000 trades. Say “from” to have all."
    )
    drawdown_seen = serializers.ChoiceField(
        ["by trade", "by day"], help_text="After what the equity is looked at."
    )
    currencies = CurrencyFiguresSerializer(many=True, help_text="Most trades first.")

    def get_fields(self) -> dict[str, Any]:
        # `from` is no name Python lets a class have.
        days = {
            "from": serializers.DateField(help_text="The first day, included."),
            "to": serializers.DateField(help_text="The last day, included."),
        }
        return {**days, **super().get_fields()}


_PARAMETERS: Final = [
    OpenApiParameter("strategy", str, description="The strategy's name."),
    OpenApiParameter("strategy_id", int, description="The strategy's id."),
    OpenApiParameter("symbol", str),
    OpenApiParameter(
        "currency", str, description=f"“{NO_CURRENCY}” for the trades whose alerts told none."
    ),
    OpenApiParameter(
        "from",
        OpenApiTypes.DATE,
        description="The first day of exits. Without it: the year up to the last day.",
    ),
    OpenApiParameter(
        "to",
        OpenApiTypes.DATE,
        description="The last day of exits. Without it: today, or that of the latest trade.",
    ),
    OpenApiParameter(
        "time_zone",
        str,
        description="At whose midnight a day begins: Europe/Berlin.",
        default="UTC",
    ),
]


class StatisticsView(ReadOnly, APIView):
    """How trades turned out, by currency, strategy and symbol; the Overview's numbers."""

    model = Trade
    serializer_class = StatisticsSerializer

    @extend_schema(parameters=_PARAMETERS)
    def get(self, request: Request) -> Response:
        books = traded_books()
        filters, zone = _asked(request, books)
        found = summed_up_trades(filters, books, zone, timezone.now())
        return Response(StatisticsSerializer(_told(found, filters, zone)).data)


def _asked(request: Request, books: list[TradedBook]) -> tuple[Filters, ZoneInfo]:
    symbols = {book.symbol for book in books} | symbols_held()
    form = StatisticsForm(
        request.query_params,
        strategies=list(Strategy.objects.values_list("name", flat=True)),
        symbols=sorted(symbols),
    )
    check_parameters(request.query_params, known=form.fields)
    if not form.is_valid():
        raise ValidationError(
            {name: " ".join(map(str, told)) for name, told in form.errors.items()}
        )
    return form.filters(), ZoneInfo(form.cleaned_data["time_zone"] or "UTC")


def _told(found: SummedUp, filters: Filters, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "from": found.period.first,
        "to": found.period.last,
        "time_zone": str(zone),
        "is_shortened": found.is_shortened,
        "drawdown_seen": steps_are(found.currencies),
        "currencies": [
            _of_currency(each, zone)
            for each in found.currencies
            if filters.currency in (None, each.currency)
        ],
    }


def _of_currency(results: Results, zone: ZoneInfo) -> dict[str, Any]:
    days = performance.by_day(results.steps, zone)
    fall = performance.max_drawdown(performance.equity_curve(results.steps))
    of_groups = {
        kind: [
            {
                "name": group.name,
                **_figures(group.tally, group.max_drawdown, group.sharpe, group.discrepancies),
            }
            for group in groups
        ]
        for kind, groups in (("strategies", results.strategies), ("symbols", results.symbols))
    }
    return {
        "currency": results.currency,
        "days": len(days),
        **_figures(results.total, fall, performance.sharpe_ratio(days), results.discrepancies),
        **of_groups,
    }


def _figures(
    tally: Tally, max_drawdown: Decimal, sharpe: Decimal | None, discrepancies: int
) -> dict[str, Any]:
    names = (
        "trades", "wins", "losses", "win_rate", "profit_factor", "expectancy", "average_win",
        "average_loss",
    )  # fmt: skip
    return {
        **{name: getattr(tally, name) for name in names},
        "gross_profit": tally.profit,
        "gross_loss": tally.loss,
        "net_pnl": tally.net,
        "max_drawdown": max_drawdown,
        "sharpe": sharpe,
        "discrepancies": discrepancies,
    }
