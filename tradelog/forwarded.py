"""What a proxy says of the request it hands on, believed from our own proxies alone."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from addresses import comes_from_proxy


class ForwardedProtocolMiddleware:
    """Takes `X-Forwarded-Proto` out of a request that none of TRUSTED_PROXIES handed on.

    Django's SECURE_PROXY_SSL_HEADER believes it from anybody.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not comes_from_proxy(request):
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        return self.get_response(request)
