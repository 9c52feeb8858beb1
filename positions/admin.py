from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest

from audit import AuditTrailAdmin, link
from audit.exporting import ExportedAdmin, Rows, told_by
from audit.filters import OneOf, StrategyFilter, SymbolFilter, asked_by, one_of
from audit.searching import BookAdmin
from audit.shown import preformatted
from positions.models import Lot, LotStatus, Reconciliation
from trades.direction import Direction


class StatusFilter(OneOf):
    """Open lots where the address asks for nothing, since closed ones are trades; else all."""

    title = column = "status"
    parameter_name = "status__exact"
    values = [*LotStatus.choices, ("all", "all")]
    all_option = None

    def value(self) -> str:
        return super().value() or ("all" if asked_by(self.request) != "?" else LotStatus.OPEN)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() == "all" else super().queryset(request, queryset)


class LotRows(Rows):
    strategy = told_by("strategy__name", "strategy")
    entry_correlation_id = told_by("entry_correlation_id")
    exit_correlation_id = told_by("exit_correlation_id")
    trade_id = told_by("trade_id")

    class Meta:
        model = Lot
        fields = (
            "id",
            "status",
            "strategy",
            "symbol",
            "direction",
            "quantity",
            "entry_time",
            "entry_price",
            "entry_commission",
            "currency",
            "trade_id",
            "entry_correlation_id",
            "exit_correlation_id",
        )


@admin.register(Lot)
class LotAdmin(ExportedAdmin, BookAdmin):
    list_display = (
        "id",
        "entry_time",
        "status",
        "strategy",
        "symbol",
        "direction",
        "quantity",
        "entry_price",
    )
    list_filter = (
        StatusFilter,
        StrategyFilter,
        SymbolFilter,
        one_of("direction", Direction.choices),
    )
    list_select_related = ("strategy",)
    sortable_by = ("id", "entry_time")
    date_hierarchy = "entry_time"
    fields = (
        "status",
        "strategy",
        "symbol",
        "direction",
        "quantity",
        "entry_price",
        "entry_time",
        "entry_commission",
        "currency",
        "entry_alert",
        "exit_alert",
        "its_trade",
    )
    readonly_fields = ("its_trade", "entry_alert", "exit_alert")
    titles = {"entry_time": "entry"}
    list_before_template = "positions/open_lots.html"
    when_empty = "positions/no_lots.html"
    all_rows = "?status__exact=all"
    resource_classes = [LotRows]

    def for_export(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        told: QuerySet[Any] = rows.annotate(
            entry_correlation_id=F("entry_webhook_log__correlation_id"),
            exit_correlation_id=F("exit_webhook_log__correlation_id"),
        )
        return told

    @admin.display(description="trade")
    def its_trade(self, lot: Lot) -> str:
        return link(lot.trade)

    @admin.display(description="entry alert")
    def entry_alert(self, lot: Lot) -> str:
        return link(lot.entry_webhook_log)

    @admin.display(description="exit alert")
    def exit_alert(self, lot: Lot) -> str:
        return link(lot.exit_webhook_log)

    def with_correlation_id(self, first: UUID, last: UUID) -> Iterable[int]:
        lots, ids = Lot.objects.values_list("pk", flat=True), (first, last)
        entered = lots.filter(entry_webhook_log__correlation_id__range=ids)
        return chain(
            entered[:1000], lots.filter(exit_webhook_log__correlation_id__range=ids)[:1000]
        )


@admin.register(Reconciliation)
class ReconciliationAdmin(AuditTrailAdmin):
    list_display = ("id", "happened_at", "strategy", "symbol")
    list_select_related = ("strategy",)
    search_fields = ("symbol", "strategy__name")
    search_help_text = "Strategy or symbol"
    date_hierarchy = "happened_at"
    readonly_fields = ("found", "rows_before", "rows_after")
    exclude = ("findings", "before", "after")
    when_empty = "positions/no_reconciliations.html"

    @admin.display(description="what was found")
    def found(self, reconciliation: Reconciliation) -> str:
        return as_json(reconciliation.findings)

    @admin.display(description="rows before")
    def rows_before(self, reconciliation: Reconciliation) -> str:
        return as_json(reconciliation.before)

    @admin.display(description="rows since")
    def rows_after(self, reconciliation: Reconciliation) -> str:
        return as_json(reconciliation.after)


def as_json(value: Any) -> str:
    return preformatted(json.dumps(value, indent=2))
