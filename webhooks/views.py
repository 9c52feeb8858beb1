"""The endpoint, and the one place where faults become answers."""

from __future__ import annotations

import logging
from uuid import UUID

import structlog
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

import metering
from faults import Fault, LogUnavailable, MethodNotAllowed, ProcessingError
from webhooks.frontdoor import admit
from webhooks.observation import count_answer
from webhooks.pipeline import receive

logger = logging.getLogger(__name__)


#: The view's paths, after their first slash. The last one is optional: a redirect would make
#: TradingView lose the alert.
ALERT_PATH = r"^webhook(?:/(?P<token>[^/]+))?/?$"


@csrf_exempt
def alert(request: HttpRequest, token: str | None = None) -> JsonResponse:
    """`POST /webhook/` and `POST /webhook/<token>/`: what became of it. Raises nothing."""
    try:
        if request.method != "POST":
            raise MethodNotAllowed
        return _processed(request, token)
    except Exception as exception:
        return _answer_to(request, exception)


def _processed(request: HttpRequest, token: str | None) -> JsonResponse:
    received_at = timezone.now()
    with metering.answering.time():
        outcome = receive(
            admit(request, token),
            correlation_id=_correlation_id(request),
            received_at=received_at,
        )
    told = outcome.told(_correlation_id(request))
    count_answer()
    return JsonResponse(told)


def _answer_to(request: HttpRequest, exception: Exception) -> JsonResponse:
    if not isinstance(exception, Fault):
        return answer(request, unexpected(request, exception))
    if isinstance(exception, LogUnavailable) and exception.__cause__ is not None:
        reason = str(exception.__cause__).strip() or type(exception.__cause__).__name__
        logger.error("The log cannot be written: %s", reason, extra={"error_code": exception.code})
    if isinstance(exception, ProcessingError) and exception.__cause__ is not None:
        logger.error(
            "Alert %s is in the log and was not applied",
            _correlation_id(request),
            exc_info=exception.__cause__,
            extra={"error_code": exception.code},
        )
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
