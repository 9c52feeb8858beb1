"""The page a browser is shown instead of the one it asked for."""

from __future__ import annotations

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers


def error_page(status: int, title: str, text: str, *, can_reload: bool = False) -> HttpResponse:
    """A page that needs no database, no session and no user.

    `can_reload` says that the same address may give the page later.
    """
    told = {"status": status, "title": title, "text": text, "can_reload": can_reload}
    # Without the request: what its context brings along is read from the database.
    response = HttpResponse(render_to_string("tradelog/error.html", told), status=status)
    add_never_cache_headers(response)
    return response
