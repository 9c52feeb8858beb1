"""Whether the service runs, and whether it can do its work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as WriteTimeout

from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

import deadline
from wal import journal
from webhooks import main_database

#: How long one part may take to answer.
_PATIENCE_SECONDS = 1.0


class HealthMiddleware:
    """Answers `/health/live` and `/health/ready`, by whatever name the service was called.

    Who probes a container or a host knows its address, and no name in ALLOWED_HOSTS; and
    there is nothing in the answers to protect.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return _PROBES.get(request.path_info, self.get_response)(request)


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "live"})


@require_safe
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


_PROBES = {"/health/live": live, "/health/ready": ready}


def _trouble(ask: Callable[[], None]) -> str:
    """What is wrong with a database, without addresses; empty if nothing."""
    try:
        with deadline.within(_PATIENCE_SECONDS):
            ask()
    except (Error, WriteTimeout) as error:
        return f"unavailable ({type(error).__name__})"
    return ""
