from __future__ import annotations

import json
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.html import format_html, format_html_join

from audit import AuditTrailAdmin, link
from audit.books import correlation_range
from audit.counting import MOST_PAGED
from audit.exporting import ExportedAdmin, Rows
from audit.filters import OneOf, StrategyFilter, SymbolFilter, flagged, one_of
from audit.searching import BookAdmin, id_in
from audit.shown import NONE, preformatted
from positions.netting import Effect
from trades.direction import Direction
from wal import journal
from wal.models import Entry, EntryStatus, Refusal
from webhooks.models import LogStatus, WebhookLog
from webhooks.outcome import RECORDED
from webhooks.replay import Choice, replay
from webhooks.signal import book_parts
from webhooks.story import read_message

_FLAGS = {"drift": "drift", "test": "is_test", "via mail": "via_mail"}


class ErrorFilter(OneOf):
    title = "error"
    parameter_name = "error_code__exact"
    column = "error_code"
    values = [(code, code) for code in sorted(RECORDED)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # What has an error was not processed; said, so that their index is found.
        errors = queryset.exclude(status=LogStatus.PROCESSED)
        return super().queryset(request, errors) if self.value() else queryset


class EntryStatusFilter(OneOf):
    """All states but the last one are rare, and have an index each."""

    title = "status"
    parameter_name = "status__exact"
    column = "status"
    values = EntryStatus.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        status = self.value()
        if status is None or status not in journal.INDEXED:
            return super().queryset(request, queryset)
        rows = journal.having(EntryStatus(status))
        few = list(rows.values_list("pk", flat=True)[: MOST_PAGED + 1])
        rare = len(few) <= MOST_PAGED
        return queryset.filter(pk__in=few) if rare else queryset.filter(status=status)


class AlertRows(Rows):
    class Meta:
        model = WebhookLog
        fields = (
            "id",
            "correlation_id",
            "status",
            "error_code",
            "error_message",
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
            "via_mail",
            "token_name",
            "payload",
        )


@admin.register(WebhookLog)
class WebhookLogAdmin(ExportedAdmin, BookAdmin):
    list_display = (
        "id",
        "received_at",
        "status",
        "remarks",
        "strategy",
        "symbol",
        "action",
        "quantity",
        "price",
    )
    list_filter = (
        one_of("status", LogStatus.choices),
        ErrorFilter,
        StrategyFilter,
        SymbolFilter,
        one_of("action", [(effect, effect) for effect in Effect]),
        one_of("direction", Direction.choices),
        flagged("drift"),
        flagged("is_test", "test"),
        flagged("via_mail", "via mail"),
    )
    sortable_by = ("id", "received_at")
    date_hierarchy = "received_at"
    exclude = ("payload", "error_fields", "trade")
    titles = {"received_at": "received"}
    change_form_template = "webhooks/alert.html"
    when_empty = "webhooks/no_alerts.html"
    resource_classes = [AlertRows]

    @admin.display(description="remarks")
    def remarks(self, log: WebhookLog) -> str:
        flags = [name for name, column in _FLAGS.items() if getattr(log, column)]
        badges = format_html_join(" ", '<span class="badge badge-flag">{}</span>', zip(flags))
        return format_html("{} {}", log.error_code, badges) if log.error_code or flags else NONE

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        can_replay = request.user.has_perm("wal.change_entry")
        told = {**(extra_context or {}), "can_replay": can_replay}
        return super().change_view(request, object_id, form_url, told)

    def with_correlation_id(self, first: UUID, last: UUID) -> Iterable[int]:
        found = WebhookLog.objects.filter(correlation_id__range=(first, last))
        return found.values_list("pk", flat=True)[:1000]


# Here and not in wal: the log knows nothing of what is above it.
@admin.register(Entry)
class EntryAdmin(AuditTrailAdmin):
    list_display = (
        "id",
        "received_at",
        "status",
        "its_book",
        "attempts",
        "settled_at",
        "last_error",
    )
    list_filter = (EntryStatusFilter,)
    sortable_by = ("id", "received_at")
    search_fields = ("correlation_id",)
    search_help_text = "Correlation id or its start, #id"
    date_hierarchy = "received_at"
    fields = (
        "status",
        "its_alert",
        "its_book",
        "message",
        "kept_with_it",
        "correlation_id",
        "received_at",
        "attempts",
        "last_error",
        "settled_at",
        "claimed_by",
        "claimed_until",
    )
    readonly_fields = ("message", "kept_with_it", "its_book", "its_alert", "correlation_id")
    titles = {"received_at": "received", "settled_at": "settled"}
    actions = ("replay_entries",)
    when_empty = "webhooks/no_entries.html"
    rows_are = "log entries"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str
    ) -> tuple[QuerySet[Entry], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        asked = id_in(text)
        conditions = [] if asked is None else [Q(pk=asked)]
        if not text.startswith("#") and (ids := correlation_range(text)):
            conditions.append(Q(correlation_id__range=ids))
        if not conditions:
            return queryset.none(), False
        return queryset.filter(reduce(or_, conditions)), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.replay_entry)
        return [
            path("<int:entry_id>/replay/", view, name="wal_entry_replay"),
            *super().get_urls(),
        ]

    @admin.display(description="message, token cut out")
    def message(self, entry: Entry) -> str:
        text = bytes(entry.body).decode("utf-8", "backslashreplace")
        return preformatted(read_message(text).pretty or text)

    @admin.display(description="kept with it")
    def kept_with_it(self, entry: Entry) -> str:
        return preformatted(json.dumps(entry.envelope, indent=2))

    @admin.display(description="book")
    def its_book(self, entry: Entry) -> str:
        return _as_book(entry.book) or "not read yet"

    @admin.display(description="alert")
    def its_alert(self, entry: Entry) -> str:
        return link(WebhookLog.objects.filter(correlation_id=entry.correlation_id).first())

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("wal.change_entry")

    @admin.action(description="Replay the chosen log entries", permissions=["replay"])
    def replay_entries(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        for entry in queryset.order_by("id"):
            self._replay(request, entry)

    def replay_entry(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        """Replay one entry, and show what became of its alert."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_replay_permission(request):
            raise PermissionDenied
        entry = get_object_or_404(Entry, pk=entry_id)
        self._replay(request, entry)
        log = WebhookLog.objects.filter(correlation_id=entry.correlation_id).first()
        if log is None:
            return redirect(reverse("admin:wal_entry_change", args=[entry.pk]))
        return redirect(reverse("admin:webhooks_webhooklog_change", args=[log.pk]))

    def _replay(self, request: HttpRequest, entry: Entry) -> None:
        for replayed in replay(Choice(entry_ids=frozenset({entry.pk}))):
            if replayed.is_settled_well and replayed.outcome:
                became = replayed.outcome.entry_status.label
                self.message_user(request, f"Entry {entry.pk}: {became}.", messages.SUCCESS)
            else:
                self.message_user(request, f"Entry {entry.pk}: {replayed.fault}", messages.WARNING)


@admin.register(Refusal)
class RefusalAdmin(AuditTrailAdmin):
    list_display = ("id", "refused_at", "its_book", "token_name", "address")
    sortable_by = ("id", "refused_at")
    search_fields = ("book", "address")
    search_help_text = "Strategy, symbol or address"
    date_hierarchy = "refused_at"
    readonly_fields = ("its_book",)
    exclude = ("book",)
    when_empty = "webhooks/no_refusals.html"

    @admin.display(description="book")
    def its_book(self, refusal: Refusal) -> str:
        return _as_book(refusal.book) or "the alert told none"


def _as_book(label: str) -> str:
    return " on ".join(filter(None, book_parts(label)))
