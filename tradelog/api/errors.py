"""What the API says when it cannot answer: JSON, as the alerts' endpoint does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpRequest, JsonResponse
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

#: By HTTP status: what programs tell errors apart by.
CODES: Final = {
    400: "INVALID_PARAMETERS",
    401: "NOT_AUTHENTICATED",
    403: "NOT_PERMITTED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "DATABASE_UNAVAILABLE",
}


class ErrorDetailSerializer(serializers.Serializer):
    code = serializers.CharField(help_text="What programs tell errors apart by.")
    message = serializers.CharField(help_text="For people.")
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.CharField(), help_text="What is wrong with each parameter, by its name."
    )


class ErrorSerializer(serializers.Serializer):
    """An answer that is none."""

    correlation_id = serializers.UUIDField(help_text="By which the server's log tells the request.")
    error = ErrorDetailSerializer()


def answer_error(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Turn what a view raised into its answer; None leaves it to `tradelog.handlers`."""
    response = exception_handler(exception, context)
    if response is None:
        return None
    code = CODES.get(response.status_code, CODES[400])
    message, fields = str(getattr(exception, "detail", "There is nothing here.")), {}
    if isinstance(exception, NotAuthenticated):
        message = "Say who asks: send the header “Authorization: Token …”, or log in."
    elif isinstance(exception, AuthenticationFailed):
        code = "INVALID_TOKEN"
    elif isinstance(exception, ValidationError):
        assert isinstance(exception.detail, dict)
        message = "These parameters cannot be read."
        fields = {
            name: " ".join(map(str, told)) if isinstance(told, list) else str(told)
            for name, told in exception.detail.items()
        }
    response.data = _told(context["request"]._request, code, message, fields)
    return response


def refusal(request: HttpRequest, status: int, message: str) -> JsonResponse:
    """The same where no view came to answer."""
    response = JsonResponse(_told(request, CODES[status], message, {}), status=status)
    if status == 503:
        response["Retry-After"] = "5"
    return response


def _told(
    request: HttpRequest, code: str, message: str, fields: Mapping[str, str]
) -> dict[str, Any]:
    return {
        # Given by tradelog.correlation.
        "correlation_id": str(request.correlation_id),  # type: ignore[attr-defined]
        "error": {"code": code, "message": message, "fields": dict(fields)},
    }
