"""What the admin's sidebar leads to, by task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from tradelog.permissions import may_open


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar's groups, as django-unfold takes them: what this user may see."""
    groups = {
        "": [
            _page("Overview", "monitoring", "overview"),
            _rows("Trades", "candlestick_chart", "trades.trade"),
            _rows("Positions", "layers", "positions.lot"),
            _rows("Alerts", "notifications", "webhooks.webhooklog"),
            _rows("Write-ahead log", "receipt_long", "wal.entry"),
            _rows("Strategies", "psychology", "trades.strategy"),
            _rows("Alarms", "warning", "watch.alarm"),
        ],
        "Tools": [
            _page("Alert builder", "build", "alert-builder"),
            _page("Compare an export", "compare_arrows", "compare-export"),
            _page("API", "api", "api-page"),
        ],
        "System": [
            _rows("Users", "person", "auth.user"),
            _rows("API tokens", "key", "tradelog.apitoken"),
            _rows("Imports", "upload_file", "trades.importbatch"),
            _rows("Reconciliations", "rule", "positions.reconciliation"),
            _rows("Refused alerts", "block", "wal.refusal"),
            _rows("Notices", "outgoing_mail", "watch.notice"),
        ],
    }
    return [
        {"title": title, "separator": bool(title), "items": shown}
        for title, items in groups.items()
        if (shown := [item for item in items if item and _may_see(request, item)])
    ]


def _page(title: str, icon: str, name: str) -> dict[str, Any] | None:
    try:
        link = reverse(name)
    except NoReverseMatch:
        return None
    # By itself unfold takes a page for one of those below it.
    return {"title": title, "icon": icon, "link": link, "page": name, "active": _is_at(link)}


def _is_at(link: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.path == link


def _rows(title: str, icon: str, label: str) -> dict[str, Any] | None:
    app, model = label.split(".")
    item = _page(title, icon, f"admin:{app}_{model}_changelist")
    return item and {**item, "model": label}


def _may_see(request: HttpRequest, item: dict[str, Any]) -> bool:
    if "model" not in item:
        return may_open(request.user, item["page"])
    rows = admin.site.get_model_admin(apps.get_model(item["model"]))
    return rows.has_view_permission(request)
