"""What is answered where no view could: a page to a browser, JSON to programs."""

from __future__ import annotations

import logging
import sys

from django.contrib import admin
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers

from faults import NoSuchPath, NotUnderstood
from tradelog.api.errors import refusal
from tradelog.error_page import error_page
from tradelog.outage import outage_page
from tradelog.permissions import PermissionLacking
from tradelog.routes import is_about_alerts, is_of_api
from webhooks.main_database import is_unreachable
from webhooks.views import answer, unexpected

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # In one line, since anybody can bring it about.
    logger.warning("Refused: %s", exception)
    text = "No browser sends such a request."
    if isinstance(exception, DisallowedHost):
        text = "This service does not go by the name it was called by: add it to ALLOWED_HOSTS."
    if is_about_alerts(request.path_info):
        return answer(request, NotUnderstood(text))
    if _is_of_api(request):
        return _told(refusal(request, 400, text))
    return _told(error_page(400, "This request was not understood", text))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """For staff with the sidebar, which leads on to what they may open."""
    title = "You may not do this"
    if not admin.site.has_permission(request):
        return error_page(
            403,
            title,
            "Your user lacks the permission. Whoever runs this service can give it, in the admin.",
        )
    context = {
        **admin.site.each_context(request),
        "title": title,
        "lacking": exception.named() if isinstance(exception, PermissionLacking) else [],
    }
    response = render(request, "tradelog/forbidden.html", context, status=403)
    add_never_cache_headers(response)
    return response


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's protection against forms of other sites has refused one of ours."""
    return error_page(
        403,
        "This form was not accepted",
        "It was open for too long, or the browser keeps no cookies: load its page again and "
        "repeat. If a proxy with TLS stands in front of this service, BEHIND_TLS must be true "
        "and the proxy be one of TRUSTED_PROXIES.",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_about_alerts(request.path_info):
        return answer(request, NoSuchPath())
    if _is_of_api(request):
        return refusal(request, 404, "There is nothing here; /api/schema/ lists the paths.")
    return error_page(404, "There is nothing here", "The address may be mistyped.")


def failed(request: HttpRequest) -> HttpResponse:
    """503 where a database is out of reach; 500 where the fault is ours."""
    exception = sys.exc_info()[1]
    if is_about_alerts(request.path_info):
        return answer(request, unexpected(request, exception))
    if exception is not None and is_unreachable(exception):
        logger.warning("A page could not be made: %s", str(exception).strip())
        response = (
            refusal(request, 503, "The database is out of reach; nothing is lost meanwhile.")
            if _is_of_api(request)
            else outage_page()
        )
    else:
        correlation_id = request.correlation_id  # type: ignore[attr-defined]
        logger.error("Request %s failed", correlation_id, exc_info=exception)
        text = (
            "The fault is ours. Alerts are taken all the same. What went wrong stands in the "
            f"server's log, under {correlation_id}."
        )
        response = (
            refusal(request, 500, text)
            if _is_of_api(request)
            else error_page(500, "This page failed", text, can_reload=True)
        )
    return _told(response)


def _told(response: HttpResponse) -> HttpResponse:
    # Django would log it once more, with a traceback of its own.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _is_of_api(request: HttpRequest) -> bool:
    return is_of_api(request.path_info.removeprefix("/"))
