"""What of the service the OpenAPI schema tells, and how."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from tradelog.api.errors import ErrorSerializer

_ERRORS: Final = {
    400: "A parameter is unknown or cannot be read.",
    401: "No token and no session, or none that is valid.",
    403: "The user lacks staff status or the permission.",
    404: "There is no such row.",
    429: "Too many wrong tokens from this address.",
    503: "The database is out of reach.",
}


class ApiSchema(AutoSchema):
    """Tells beside each answer what comes where there is none."""

    def get_summary(self) -> str:
        return "One by its id." if self._is_of_one_row() else self.get_description()

    def get_response_serializers(self) -> Any:
        errors = {
            status: OpenApiResponse(ErrorSerializer, description)
            for status, description in _ERRORS.items()
            if status != 404 or self._is_of_one_row()
        }
        return {200: super().get_response_serializers(), **errors}

    def _is_of_one_row(self) -> bool:
        return bool(getattr(self.view, "detail", False))


def only_api(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """The paths of the API; alerts have a page of their own (docs/alerts.md)."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/")]


def all_there(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Say that an answer always has all of its fields; nothing here is ever sent in."""
    for component in result["components"]["schemas"].values():
        if "properties" in component:
            component["required"] = sorted(component["properties"])
    return result
