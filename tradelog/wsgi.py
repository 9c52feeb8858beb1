"""The WSGI application, and the threads beside it that drain the log and keep watch."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradelog.settings")

application = get_wsgi_application()

from wal import journal  # noqa: E402  (the apps must be loaded)
from watch.watching import start_watching  # noqa: E402
from webhooks.draining import start_draining  # noqa: E402

_stop_draining = start_draining()
_stop_watching = start_watching()


def leave() -> None:
    """What a worker does last: no entry of its stays claimed until a lease ends."""
    _stop_draining()
    journal.release_own()
    _stop_watching()
