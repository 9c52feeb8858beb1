"""Whether the service runs, and whether it can do its work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as WriteTimeout

from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse

import deadline
from wal import journal
from webhooks import main_database

#: How long one part may take to answer.
_PATIENCE_SECONDS = 1.0


def live(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "live"})


def ready(request: HttpRequest) -> HttpResponse:
    """200 where the database answers and the log can be written; else 503, and which not.

    With the database down alerts are still taken (202 queued); with the log
    down they are not.
    """
    parts = {
        "database": _trouble(lambda: main_database.ask(_PATIENCE_SECONDS)) or "ok",
        "log": _trouble(journal.check_writable) or "ok",
    }
    is_ready = all(state == "ok" for state in parts.values())
    return JsonResponse(
        {"status": "ready" if is_ready else "not ready", "parts": parts},
        status=200 if is_ready else 503,
    )


def _trouble(ask: Callable[[], None]) -> str:
    """What is wrong with a database, without addresses; empty if nothing."""
    try:
        with deadline.within(_PATIENCE_SECONDS):
            ask()
    except (Error, WriteTimeout) as error:
        return f"unavailable ({type(error).__name__})"
    return ""
