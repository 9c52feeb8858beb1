"""The WSGI application, and the threads beside it: they drain the log, keep watch, read mail."""

from __future__ import annotations

import gc
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradelog.settings")

application = get_wsgi_application()

from wal import journal  # noqa: E402  (the apps must be loaded)
from watch.watching import start_watching  # noqa: E402
from webhooks.draining import start_draining  # noqa: E402
from webhooks.mail.following import start_reading_mail  # noqa: E402
from webhooks.settler import stop_settling  # noqa: E402

# What is loaded by now stays: collections need not walk through it each time. What an alert
# makes is gone with it, without one (docs/performance.md has the figure).
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 20)

_stop_draining = start_draining()
_stop_reading_mail = start_reading_mail() if settings.MAILBOX_URL else None
_stop_watching = start_watching()


def leave() -> None:
    """What a worker does last: no entry of its stays claimed until a lease ends."""
    if _stop_reading_mail:
        _stop_reading_mail()
    _stop_draining()
    stop_settling()
    journal.release_own()
    _stop_watching()
