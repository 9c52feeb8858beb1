from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from audit import AuditTrailAdmin, ShownAdmin
from audit.exporting import ExportedAdmin, Rows, told_by
from audit.filters import StrategyFilter, SymbolFilter, YesNo, flagged, one_of
from audit.searching import BookAdmin
from audit.shown import as_time, counted, gain, preformatted
from trades import rare
from trades.corrections import CORRECTED, DISCREPANT, that_stand, with_counted_pnl
from trades.direction import Direction
from trades.models import Correction, ImportBatch, Strategy, Trade
from trades.revalue_page import revalue_page
from trades.totals import totals


@admin.register(Strategy)
class StrategyAdmin(ShownAdmin):
    list_display = ("name", "enabled", "default_quantity", "point_value", "created_at")
    list_filter = (flagged("enabled"),)
    list_filter_submit = True
    search_fields = ("name",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "enabled",
                    "default_quantity",
                    "point_value",
                    "since",
                    "leads_to",
                )
            },
        ),
        ("Alarms", {"fields": ("muted", "silence_hours", "failure_rate", "tell_trades")}),
    )
    readonly_fields = ("since", "leads_to")
    when_empty = "trades/no_strategies.html"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Alerts find their strategy by its name; another name would be another strategy.
        return (*self.readonly_fields, "name") if obj else self.readonly_fields

    @admin.display(description="since")
    def since(self, strategy: Strategy) -> str:
        return as_time(strategy.created_at)

    @admin.display(description="see its")
    def leads_to(self, strategy: Strategy) -> str:
        lists = (
            ("trades", "trades_trade", strategy.pk),
            ("positions", "positions_lot", strategy.pk),
            ("alerts", "webhooks_webhooklog", strategy.name),
        )
        return format_html_join(
            " · ",
            '<a href="{}?{}" class="text-link">{}</a>',
            (
                (reverse(f"admin:{model}_changelist"), urlencode({"strategy": key}), name)
                for name, model, key in lists
                if strategy.pk
            ),
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Its alerts would make it again; switching it off is what stops them.
        return False


class DiscrepancyFilter(YesNo):
    title = "P&L discrepancy"
    parameter_name = "discrepancy"
    condition = DISCREPANT


class CorrectedFilter(YesNo):
    title = "corrected"
    parameter_name = "corrected"
    condition = CORRECTED


class RareFilter(YesNo):
    """Trades that are looked up where they are asked for."""

    look_up: Callable[[], Q]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value():
            self.condition = self.look_up()
        return super().queryset(request, queryset)


class DriftFilter(RareFilter):
    title = "drift"
    parameter_name = "drift"
    look_up = staticmethod(rare.drifted)


class ExitBeforeEntryFilter(RareFilter):
    title = "exit before entry"
    parameter_name = "exit_before_entry"
    look_up = staticmethod(rare.exit_before_entry)


class TradeRows(Rows):
    strategy = told_by("strategy__name", "strategy")
    corrected_pnl = told_by("corrected_pnl")
    entry_correlation_id = told_by("entry_correlation_id")
    exit_correlation_id = told_by("exit_correlation_id")

    class Meta:
        model = Trade
        fields = (
            "id",
            "strategy",
            "symbol",
            "direction",
            "quantity",
            "entry_time",
            "entry_price",
            "exit_time",
            "exit_price",
            "point_value",
            "commission",
            "pnl",
            "pnl_reported",
            "pnl_discrepancy",
            "corrected_pnl",
            "currency",
            "entry_correlation_id",
            "exit_correlation_id",
        )


@admin.register(Trade)
class TradeAdmin(ExportedAdmin, BookAdmin):
    list_display = (
        "id",
        "exit_time",
        "strategy",
        "symbol",
        "direction",
        "quantity",
        "entry_price",
        "exit_price",
        "its_pnl",
        "pnl_discrepancy",
    )
    list_filter = (
        StrategyFilter,
        SymbolFilter,
        one_of("direction", Direction.choices),
        DiscrepancyFilter,
        DriftFilter,
        ExitBeforeEntryFilter,
        CorrectedFilter,
    )
    list_select_related = ("strategy",)
    # What an index puts in order.
    sortable_by = ("id", "exit_time", "its_pnl")
    date_hierarchy = "exit_time"
    gains = ("pnl", "pnl_discrepancy", "pnl_reported")
    titles = {
        "pnl": "P&L",
        "pnl_reported": "P&L reported",
        "pnl_discrepancy": "discrepancy",
        "exit_time": "exit",
    }
    change_form_template = "trades/trade.html"
    list_before_template = "trades/totals.html"
    when_empty = "trades/no_trades.html"
    resource_classes = [TradeRows]
    actions = ("revalue",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trade]:
        standing = that_stand(Correction.objects.all())
        return super().get_queryset(request).prefetch_related(standing)

    def for_export(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return with_counted_pnl(rows.prefetch_related(None)).annotate(
            corrected_pnl=F("standing__pnl"),
            entry_correlation_id=F("lot__entry_webhook_log__correlation_id"),
            exit_correlation_id=F("lot__exit_webhook_log__correlation_id"),
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        told = getattr(response, "context_data", None)
        if told and "cl" in told:
            listed = told["cl"]
            # What is too long to be counted is too long to be summed up.
            too_many = listed.paginator.has_more
            there = listed.queryset if listed.result_count else listed.queryset.none()
            told["totals"] = None if too_many else totals(there)
        return response

    def has_correct_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trades.add_correction")

    @admin.action(description="Correct point value to the strategy's", permissions=["correct"])
    def revalue(self, request: HttpRequest, queryset: QuerySet[Trade]) -> HttpResponse | None:
        return revalue_page(request, queryset)

    @admin.display(description="P&L", ordering="pnl")
    def its_pnl(self, trade: Any) -> SafeString | str:
        """As it was booked, and as it counts where that is another."""
        if not trade.that_stand:
            return format_html('<span class="number">{}</span>', gain(trade.pnl))
        return format_html(
            '<span class="number"><del>{}</del> {}</span>',
            gain(trade.pnl),
            gain(trade.that_stand[0].pnl),
        )

    def with_correlation_id(self, first: UUID, last: UUID) -> Iterable[int]:
        lots = rare.lots_of_trades().values_list("trade", flat=True)
        ids = (first, last)
        entered = lots.filter(entry_webhook_log__correlation_id__range=ids)
        left = lots.filter(exit_webhook_log__correlation_id__range=ids)
        return chain(entered[:1000], left[:1000])


@admin.register(ImportBatch)
class ImportBatchAdmin(AuditTrailAdmin):
    list_display = (
        "id",
        "imported_at",
        "imported_by",
        "file_name",
        "strategy",
        "symbol",
        "count",
        "undone_at",
    )
    list_select_related = ("strategy", "imported_by")
    search_fields = ("file_name", "symbol", "strategy__name", "=sha256")
    search_help_text = "File, its SHA-256, symbol or strategy"
    date_hierarchy = "imported_at"
    readonly_fields = ("its_trades", "taken_out")
    exclude = ("removed",)
    when_empty = "trades/no_imports.html"

    @admin.display(description="its trades")
    def its_trades(self, batch: ImportBatch) -> str:
        here = reverse("admin:trades_trade_changelist")
        number = batch.trades.count()
        if not number:
            return "none any more"
        return format_html(
            '<a href="{}?import_batch__id__exact={}" class="text-link">{}</a>',
            here,
            batch.pk,
            counted(number, "trade"),
        )

    @admin.display(description="what undoing removed")
    def taken_out(self, batch: ImportBatch) -> str:
        if not batch.removed:
            return "nothing"
        removed = json.dumps(batch.removed, indent=2)
        return preformatted(removed)
