"""The service's addresses, and some whose views fail."""

from __future__ import annotations

from typing import NoReturn

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest
from django.urls import path

from tests.environment import TOKEN
from tradelog import urls

handler400 = urls.handler400
handler403 = urls.handler403
handler404 = urls.handler404
handler500 = urls.handler500


def fail(request: HttpRequest, how: str) -> NoReturn:
    raise {
        "broken": RuntimeError(f"with {TOKEN} in hand"),
        "bad": BadRequest("no"),
        "forbidden": PermissionDenied("no"),
    }[how]


urlpatterns = [
    path("fail/<how>", fail),
    path("webhook/x/fail/<how>", fail),
    path("api/fail/<how>", fail),
    *urls.urlpatterns,
]
