"""The admin's looks (django-unfold); its colours are in tradelog/static/tradelog/colours.css."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy

OF_THE_ADMIN: dict[str, Any] = {
    "SITE_TITLE": "tradelog",
    "SITE_HEADER": "tradelog",
    "SITE_SYMBOL": "candlestick_chart",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("tradelog/favicon.svg"),
        }
    ],
    "SIDEBAR": {"navigation": "tradelog.sidebar.navigation"},
    "ACCOUNT": {
        "navigation": [
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
            {"title": "Time zone", "link": reverse_lazy("time-zone")},
        ]
    },
}
