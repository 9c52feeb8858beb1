"""The way of an alert to its view, and of the answer back.

It is what Django's handler, middleware and table of paths do around a view, as far as it
concerns alerts. Django does it for any site, by wrappers around wrappers; that took a sixth
of all that an alert costs the service (docs/performance.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

from tradelog.correlation import CorrelationMiddleware
from tradelog.handlers import bad_request, not_found
from webhooks.views import ALERT_PATH, alert

_PATH = re.compile(ALERT_PATH)


def take_alert(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The WSGI application for the paths of alerts.

    No signals around it: they close connections that have become old, and an alert's thread
    has none; the settler's and the writer's are the only ones that ask a database.
    """
    response = respond(WSGIRequest(environ))
    start_response(f"{response.status_code} {response.reason_phrase}", [*response.items()])
    return [response.content]


def respond(request: HttpRequest) -> HttpResponse:
    """The answer to whatever was asked for at these paths, with all its headers."""
    _correlation.prepare(request)
    response = _answer(request)
    response["Content-Length"] = str(len(response.content))
    _security.process_response(request, response)
    _correlation.handle_response(request, response)
    return response


def _answer(request: HttpRequest) -> HttpResponse:
    try:
        request.get_host()  # Raises where it is none of ALLOWED_HOSTS.
    except DisallowedHost as exception:
        return bad_request(request, exception)
    if (path := _PATH.search(request.path_info.removeprefix("/"))) is None:
        return not_found(request, Http404())
    return alert(request, path["token"])


_correlation = CorrelationMiddleware(_answer)
_security = SecurityMiddleware(_answer)
