"""The WSGI application, and the threads beside it: they drain the log, keep watch, read mail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest, get_script_name
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import set_script_prefix

import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradelog.settings")

_pages = get_wsgi_application()


class AlertHandler(BaseHandler):
    """Django, with ALERT_MIDDLEWARE alone and without its signals around a request.

    They close connections that have become old, and an alert's thread has none: the
    settler's and the writer's are the only ones that ask a database.
    """

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        set_script_prefix(get_script_name(environ))
        response = self.get_response(WSGIRequest(environ))
        assert isinstance(response, HttpResponse)  # Nothing below /webhook is streamed.
        start_response(f"{response.status_code} {response.reason_phrase}", [*response.items()])
        return [response.content]

    def load_middleware(self, is_async: bool = False) -> None:
        everything = settings.MIDDLEWARE
        settings.MIDDLEWARE = settings.ALERT_MIDDLEWARE
        try:
            super().load_middleware(is_async)
        finally:
            settings.MIDDLEWARE = everything


_alerts = AlertHandler()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Alerts one way, everything else the other."""
    is_alert = str(environ.get("PATH_INFO", "")).startswith("/webhook")
    return (_alerts if is_alert else _pages)(environ, start_response)


from tradelog.summing_up import start_summing_up  # noqa: E402  (the apps must be loaded)
from wal import journal  # noqa: E402
from watch.watching import start_watching  # noqa: E402
from webhooks.draining import start_draining  # noqa: E402
from webhooks.mail.following import start_reading_mail  # noqa: E402
from webhooks.settler import stop_settling  # noqa: E402

garbage.collect_seldom()

_stop_draining = start_draining()
_stop_reading_mail = start_reading_mail() if settings.MAILBOX_URL else None
_stop_watching = start_watching()
_stop_summing_up = start_summing_up()


def leave() -> None:
    """What a worker does last: no entry of its stays claimed until a lease ends."""
    if _stop_reading_mail:
        _stop_reading_mail()
    _stop_draining()
    stop_settling()
    journal.release_own()
    _stop_watching()
    _stop_summing_up()
