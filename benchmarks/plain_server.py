"""The plain views on the service's own server set-up: `python -m benchmarks.plain_server PORT`."""

from __future__ import annotations

import os
import socket
import sys

#: As the service's own (settings.WORKERS and THREADS).
WORKERS, THREADS = 2, 32

if __name__ == "__main__":
    from tradelog.serving import BACKLOG
    from tradelog.workers import run_workers

    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=BACKLOG)
    target = "benchmarks.plain_server:application"
    run_workers(listener, target, workers=WORKERS, threads=THREADS)
else:
    from django.core.wsgi import get_wsgi_application

    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.plain_settings"
    application = get_wsgi_application()
