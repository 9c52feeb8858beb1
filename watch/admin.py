"""The admin's pages of alarms: which fire, which are over, who was told."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join

from audit import AuditTrailAdmin, link
from audit.filters import YesNo, one_of
from audit.shown import NONE, age, as_time, preformatted
from watch.models import Alarm, Notice, Rule


class FiringFilter(YesNo):
    title = "firing"
    parameter_name = "firing"
    condition = Q(cleared_at=None)


@admin.register(Alarm)
class AlarmAdmin(AuditTrailAdmin):
    list_display = ("fired_at", "cleared_at", "what", "strategy", "became", "text")
    list_filter = (FiringFilter, one_of("rule", Rule.choices))
    sortable_by = ("fired_at",)
    search_fields = ("strategy", "text")
    search_help_text = "Strategy or words"
    date_hierarchy = "fired_at"
    fields = ("what", "strategy", "text", "fired_at", "lasted", "cleared_at", "told")
    readonly_fields = ("what", "lasted", "told")
    titles = {"fired_at": "fired", "cleared_at": "over"}
    when_empty = "watch/no_alarms.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alarm]:
        return super().get_queryset(request).prefetch_related("notices")

    @admin.display(description="alarm")
    def what(self, alarm: Alarm) -> str:
        return alarm.get_rule_display()

    @admin.display(description="told")
    def became(self, alarm: Alarm) -> str:
        notices = alarm.notices.all()
        return notices[0].fate if notices else "nobody to tell"

    @admin.display(description="lasted")
    def lasted(self, alarm: Alarm) -> str:
        return age(alarm.cleared_at - alarm.fired_at) if alarm.cleared_at else "it fires"

    @admin.display(description="notices")
    def told(self, alarm: Alarm) -> str:
        return (
            format_html_join(
                "",
                "<p>{}: {}, {}</p>",
                (
                    (as_time(notice.made_at), link(notice), notice.fate)
                    for notice in alarm.notices.all()
                ),
            )
            or "nobody to tell: ALERT_URLS was empty"
        )


@admin.register(Notice)
class NoticeAdmin(AuditTrailAdmin):
    list_display = ("made_at", "title", "became", "done_at")
    sortable_by = ("made_at",)
    search_fields = ("title", "body")
    date_hierarchy = "made_at"
    fields = (
        "made_at",
        "title",
        "message",
        "became",
        "attempts",
        "trouble",
        "done_at",
        "its_alarms",
    )
    readonly_fields = ("message", "became", "its_alarms")
    titles = {"made_at": "made", "done_at": "done"}
    when_empty = "watch/no_notices.html"

    @admin.display(description="delivery")
    def became(self, notice: Notice) -> str:
        return notice.fate

    @admin.display(description="message")
    def message(self, notice: Notice) -> str:
        return preformatted(notice.body)

    @admin.display(description="about")
    def its_alarms(self, notice: Notice) -> Any:
        told = format_html_join("", "<p>{}</p>", ((link(one),) for one in notice.alarms.all()))
        return told or NONE
