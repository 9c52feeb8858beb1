"""What all of the API's paths have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.utils.cache import add_never_cache_headers
from rest_framework.authentication import SessionAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tradelog.api.authentication import ApiTokenAuthentication
from tradelog.api.errors import answer_error
from tradelog.api.permissions import MayView

if TYPE_CHECKING:
    _View = APIView
else:
    _View = object


class AlwaysJSON(BaseContentNegotiation):
    """Whatever a reader says it accepts: nothing is refused for its headers."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or ""


class ReadOnly(_View):
    """Read by staff, with a token or a session, in JSON; nothing is ever written."""

    http_method_names = ["get", "head", "options"]
    # The first one's challenge is what a 401 tells.
    authentication_classes = (ApiTokenAuthentication, SessionAuthentication)
    permission_classes = (MayView,)
    content_negotiation_class = AlwaysJSON
    parser_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Before anything else: there is nothing here that a form could do.
        if str(request.method).lower() not in self.http_method_names:
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)

    def get_exception_handler(self) -> Any:
        return answer_error

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        told = super().finalize_response(request, response, *args, **kwargs)
        add_never_cache_headers(told)
        return told
