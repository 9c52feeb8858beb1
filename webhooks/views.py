"""The endpoint, and the one place where faults become answers."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

import metering
from faults import Fault, LogUnavailable, MethodNotAllowed, Status
from webhooks.frontdoor import admit
from webhooks.observation import count_answer
from webhooks.pipeline import receive

logger = logging.getLogger(__name__)


class AlwaysJSON(BaseContentNegotiation):
    """Whatever a sender says it accepts: an alert is not refused for its headers."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or ""


class AlertView(APIView):
    """`POST /webhook/` and `POST /webhook/<token>/`."""

    authentication_classes = ()
    permission_classes = ()
    content_negotiation_class = AlwaysJSON
    http_method_names = ["post"]

    def post(self, request: Request, token: str | None = None) -> Response:
        received_at = timezone.now()
        with metering.answering.time():
            outcome = receive(
                admit(request._request, token),
                correlation_id=_correlation_id(request._request),
                received_at=received_at,
            )
        if (fault := outcome.fault) is not None:
            fault.ids = outcome.ids()
            raise fault
        count_answer()
        told = {"correlation_id": str(_correlation_id(request._request))}
        return Response({**told, "status": Status.PROCESSED, **outcome.ids()})

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        raise MethodNotAllowed


def answer_fault(exception: Exception, context: dict[str, Any]) -> JsonResponse:
    """Turn what the endpoint raised into its answer."""
    request: HttpRequest = context["request"]._request
    if not isinstance(exception, Fault):
        return answer(request, unexpected(request, exception))
    if isinstance(exception, LogUnavailable) and exception.__cause__ is not None:
        reason = str(exception.__cause__).strip() or type(exception.__cause__).__name__
        logger.error("The log cannot be written: %s", reason, extra={"error_code": exception.code})
    return answer(request, exception)


def answer(request: HttpRequest, fault: Fault) -> JsonResponse:
    """The answer to a fault (Contract, Answer)."""
    count_answer(fault)
    structlog.contextvars.bind_contextvars(error_code=fault.code)
    response = JsonResponse(
        fault.told(_correlation_id(request)), status=fault.http_status, headers=fault.headers()
    )
    # Django would log a refusal with its path, and the path may hold a token.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def unexpected(request: HttpRequest, exception: BaseException | None) -> Fault:
    """What to answer where we have failed before the append: TradingView sends it again."""
    fault = LogUnavailable("A fault of ours; nothing was accepted.")
    logger.error(
        "Alert %s was not taken",
        _correlation_id(request),
        exc_info=exception,
        extra={"error_code": fault.code},
    )
    return fault


def _correlation_id(request: HttpRequest) -> UUID:
    # Given by tradelog.correlation before anything else sees the request.
    correlation_id: UUID = request.correlation_id  # type: ignore[attr-defined]
    return correlation_id
