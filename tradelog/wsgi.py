"""The WSGI application, and the threads beside it: they drain the log, keep watch, read mail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradelog.settings")

_pages = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Alerts one way, everything else the other."""
    is_alert = is_about_alerts(str(environ.get("PATH_INFO", "")))
    return (take_alert if is_alert else _pages)(environ, start_response)


from tradelog.alert_way import take_alert  # noqa: E402  (the apps must be loaded)
from tradelog.routes import is_about_alerts  # noqa: E402
from tradelog.summing_up import start_summing_up  # noqa: E402
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
