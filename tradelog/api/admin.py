"""The admin's page of API tokens: everybody makes and deletes their own."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from unfold.widgets import UnfoldAdminSelectWidget

from audit import ShownAdmin
from tradelog.api import tokens
from tradelog.models import ApiToken

_PERIODS: Final = [
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "a year"),
    ("", "until it is deleted"),
]


class ApiTokenForm(forms.ModelForm):
    """What is asked of who makes a token."""

    days = forms.ChoiceField(
        label="Valid for",
        choices=_PERIODS,
        initial="365",
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="A token can be deleted at any time, and is refused from then on.",
    )

    class Meta:
        model = ApiToken
        fields = ("name",)


@admin.register(ApiToken)
class ApiTokenAdmin(ShownAdmin):
    list_display = ("name", "user", "created_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    fields = ("name", "user", "created_at", "expires_at")
    titles = {"created_at": "created", "expires_at": "expires"}
    when_empty = "tradelog/no_api_tokens.html"

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = ApiTokenForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fields(request, obj) if obj else ("name", "days")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        rows: QuerySet[ApiToken] = super().get_queryset(request)
        # A token of somebody else's is that user's affair, and the superuser's.
        is_of_all = getattr(request.user, "is_superuser", False)
        return rows if is_of_all else rows.filter(user=request.user.pk)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        # It is shown next, and then never again.
        just_save = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().add_view(request, form_url, {**(extra_context or {}), **just_save})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        # Nobody makes one for somebody else: it would be that user's key.
        obj.user = request.user
        days = form.cleaned_data["days"]
        obj.expires_at = tokens.expiry(int(days) if days else None)
        obj.shown_once = tokens.issue(obj)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        # Here and not by a message after a redirect, which a cookie would carry.
        context = {
            **self.admin_site.each_context(request),
            "title": "Your API token",
            "row": obj,
            "address": request.build_absolute_uri(reverse("api-trade-list")),
            "opts": self.opts,
        }
        response = render(request, "tradelog/api_token.html", context)
        add_never_cache_headers(response)
        return response
