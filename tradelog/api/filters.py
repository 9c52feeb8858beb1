"""What lists can be narrowed down by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.request import Request
from rest_framework.views import APIView

from positions.models import Lot, LotStatus
from positions.netting import Effect
from tradelog.api import paging
from tradelog.api.parameters import check_parameters
from tradelog.overview_filters import NO_CURRENCY, CurrencyField
from trades import rare
from trades.corrections import CORRECTED, DISCREPANT
from trades.direction import Direction
from trades.models import Strategy, Trade
from webhooks.models import LogStatus, WebhookLog
from webhooks.outcome import RECORDED

#: An order's own time lies between these (webhooks.moments.moment).
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2201, 1, 1, tzinfo=UTC)


class Filtering(DjangoFilterBackend):  # type: ignore[misc]
    """Filters lists; 400 for every parameter that is unknown or cannot be read."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> Any:
        if view.detail:  # type: ignore[attr-defined]
            # One row, which its address says.
            check_parameters(request.query_params, known=())
            return queryset
        filters = view.filterset_class.base_filters if view.filterset_class else ()  # type: ignore[attr-defined]
        check_parameters(request.query_params, known=(*filters, *paging.PARAMETERS))
        return super().filter_queryset(request, queryset, view)


class _TrueOrFalse(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        if value in (None, ""):
            return None
        if value not in ("true", "false"):
            raise forms.ValidationError("Say true or false.")
        return bool(value == "true")


class Flag(django_filters.BooleanFilter):  # type: ignore[misc]
    """true or false; by itself the library takes every other word for nothing."""

    field_class = _TrueOrFalse


class _Moment(IsoDateTimeField):  # type: ignore[misc]
    default_error_messages = {"invalid": "This is no time; write it as 2026-01-31T14:30:00Z."}

    def to_python(self, value: Any) -> datetime | None:
        try:
            moment: datetime | None = super().to_python(value)
            if moment is not None and not _EARLIEST <= moment <= _LATEST:
                raise forms.ValidationError("Choose a time from 1970 to 2200.")
        except OverflowError as error:
            raise forms.ValidationError("Choose a time from 1970 to 2200.") from error
        return moment


class Moment(django_filters.IsoDateTimeFilter):  # type: ignore[misc]
    """ISO 8601; UTC where no offset is told, midnight where only a day is."""

    field_class = _Moment


def since(column: str) -> Moment:
    """Rows from this time on."""
    return Moment(column, lookup_expr="gte", help_text="From this time on. UTC if it tells none.")


def before(column: str) -> Moment:
    """Rows from before this time."""
    return Moment(column, lookup_expr="lt", help_text="Before this time. UTC if it tells none.")


class _OfStrategies(django_filters.ModelChoiceFilter):  # type: ignore[misc]
    def __init__(self, **options: Any) -> None:
        super().__init__(
            queryset=Strategy.objects.all(),
            error_messages={"invalid_choice": "There is no such strategy."},
            **options,
        )


@extend_schema_field(OpenApiTypes.INT)
class StrategyById(_OfStrategies):
    """A strategy by its id; 400 where there is none."""


@extend_schema_field(OpenApiTypes.STR)
class StrategyByName(_OfStrategies):
    """A strategy by its name; 400 where there is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(to_field_name="name", **options)


class Currency(django_filters.CharFilter):  # type: ignore[misc]
    """A currency that there are trades in, 400 where there are none; or that none was told."""

    field_class = CurrencyField

    def filter(self, trades: QuerySet[Trade], asked: str) -> QuerySet[Trade]:
        return trades.filter(currency="") if asked == NO_CURRENCY else super().filter(trades, asked)


def one_of(choices: Any, **options: Any) -> Any:
    """One of a few words; 400 for another, with those there are."""
    choices = list(choices)
    known = ", ".join(str(value) for value, _ in choices)
    unknown = f"There is no “%(value)s” here; there are: {known}."
    return django_filters.ChoiceFilter(
        choices=choices, error_messages={"invalid_choice": unknown}, **options
    )


class BookFilters(django_filters.FilterSet):  # type: ignore[misc]
    """What trades and lots have in common."""

    strategy = StrategyByName()
    strategy_id = StrategyById(field_name="strategy")
    symbol = django_filters.CharFilter(max_length=100)
    direction = one_of(Direction.choices)
    entry_time_from = since("entry_time")
    entry_time_before = before("entry_time")


class TradeFilters(BookFilters):
    exit_time_from = since("exit_time")
    exit_time_before = before("exit_time")
    currency = Currency(help_text=f"“{NO_CURRENCY}” for the trades whose alerts told none.")
    discrepancy = Flag(
        method="by_discrepancy",
        help_text="Whether the reported P&L is another than the calculated one, and no "
        "correction stands.",
    )
    drift = Flag(
        method="by_drift", help_text="Whether one of its alerts told another position than ours."
    )
    exit_before_entry = Flag(
        method="by_exit_before_entry",
        help_text="Whether its exit's time is before its entry's, and no correction stands.",
    )
    corrected = Flag(method="by_correction", help_text="Whether a correction stands.")
    imported = Flag(
        "import_batch",
        lookup_expr="isnull",
        exclude=True,
        help_text="Whether an export of TradingView's brought it in, and no alert.",
    )
    correlation_id = django_filters.UUIDFilter(
        method="by_correlation_id", help_text="Of the alert that entered it or closed it."
    )

    class Meta:
        model = Trade
        fields: tuple[str, ...] = ()

    def by_drift(self, trades: QuerySet[Trade], name: str, asked: bool) -> QuerySet[Trade]:
        return _that(trades, rare.drifted(), asked)

    def by_correction(self, trades: QuerySet[Trade], name: str, asked: bool) -> QuerySet[Trade]:
        return _that(trades, CORRECTED, asked)

    def by_discrepancy(self, trades: QuerySet[Trade], name: str, asked: bool) -> QuerySet[Trade]:
        return _that(trades, DISCREPANT, asked)

    def by_exit_before_entry(
        self, trades: QuerySet[Trade], name: str, asked: bool
    ) -> QuerySet[Trade]:
        return _that(trades, rare.exit_before_entry(), asked)

    def by_correlation_id(self, trades: QuerySet[Trade], name: str, asked: UUID) -> QuerySet[Trade]:
        return trades.filter(pk__in=_lots_of_alert(asked, "trade"))


class LotFilters(BookFilters):
    status = one_of(LotStatus.choices)
    correlation_id = django_filters.UUIDFilter(
        method="by_correlation_id", help_text="Of the alert that entered it or closed it."
    )

    class Meta:
        model = Lot
        fields: tuple[str, ...] = ()

    def by_correlation_id(self, lots: QuerySet[Lot], name: str, asked: UUID) -> QuerySet[Lot]:
        return lots.filter(pk__in=_lots_of_alert(asked, "pk"))


class AlertFilters(django_filters.FilterSet):  # type: ignore[misc]
    status = one_of(LogStatus.choices)
    error_code = one_of([(code, code) for code in sorted(RECORDED)], method="by_error")
    # Words here: an alert that was refused may name what is no strategy.
    strategy = django_filters.CharFilter(max_length=100, help_text="As the alert names it.")
    strategy_id = StrategyById(method="by_strategy_id")
    symbol = django_filters.CharFilter(max_length=100)
    action = one_of([(effect, effect) for effect in Effect], help_text="What it did.")
    direction = one_of(Direction.choices)
    drift = Flag(help_text="Whether TradingView's position was another than ours.")
    is_test = Flag()
    correlation_id = django_filters.UUIDFilter()
    received_at_from = since("received_at")
    received_at_before = before("received_at")

    class Meta:
        model = WebhookLog
        fields: tuple[str, ...] = ()

    def by_error(self, alerts: QuerySet[WebhookLog], name: str, asked: str) -> QuerySet[WebhookLog]:
        # What has an error was not processed; said, so that their index is found.
        return alerts.exclude(status=LogStatus.PROCESSED).filter(error_code=asked)

    def by_strategy_id(
        self, alerts: QuerySet[WebhookLog], name: str, asked: Strategy
    ) -> QuerySet[WebhookLog]:
        return alerts.filter(strategy=asked.name)


class StrategyFilters(django_filters.FilterSet):  # type: ignore[misc]
    name = django_filters.CharFilter(max_length=100)
    enabled = Flag()

    class Meta:
        model = Strategy
        fields: tuple[str, ...] = ()


def _that(rows: QuerySet[Any], condition: Q, is_so: bool) -> QuerySet[Any]:
    return rows.filter(condition) if is_so else rows.exclude(condition)


def _lots_of_alert(correlation_id: UUID, column: str) -> list[int]:
    """A column of the lots that an alert entered or closed, each found by an index."""
    alert = WebhookLog.objects.filter(correlation_id=correlation_id).values("pk")[:1]
    lots = Lot.objects.order_by().filter(**{f"{column}__isnull": False})
    entered = lots.filter(entry_webhook_log=alert).values_list(column, flat=True)
    closed = lots.filter(exit_webhook_log=alert).values_list(column, flat=True)
    return list(entered.union(closed))
