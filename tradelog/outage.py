"""Pages while a database is out of reach: what is wrong, and what becomes of alerts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as WriteTimeout
from typing import Any

from django.db import Error
from django.http import HttpRequest, HttpResponse

import deadline
from audit.shown import counted
from tradelog.error_page import error_page
from tradelog.routes import needs_database
from wal import journal
from webhooks.main_database import ask

#: How long a page waits for a database before it says that it is out of reach.
_PATIENCE_SECONDS = 2.0


class OutageMiddleware:
    """Asks the main database before a page is made, or an answer of the API.

    Else the log-in would show and then fail, other pages would lead there, and where
    the database hangs, they would hang as long.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        match = request.resolver_match
        assert match is not None
        if needs_database(match.route):
            ask(_PATIENCE_SECONDS)


def outage_page() -> HttpResponse:
    """503: which database is out of reach, and how many alerts wait in the log."""
    try:
        with deadline.within(_PATIENCE_SECONDS):
            journal.check_writable()
            waiting = journal.unsettled().count()
    except (Error, WriteTimeout):
        return error_page(
            503,
            "The log is out of reach",
            "Alerts cannot be written to the log, so they are not accepted now. "
            "TradingView sends what was not accepted again, three times at most.",
            can_reload=True,
        )
    wait = counted(waiting, "alert waits", "alerts wait") if waiting else "no alert waits"
    return error_page(
        503,
        "The database is out of reach",
        f"Alerts are still being accepted into the log, where nothing is lost: {wait} there now. "
        "They are applied in order as soon as the database is back.",
        can_reload=True,
    )
