"""Long lists in pages, each as fast as the first, whatever is added meanwhile."""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Model, Q
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

#: Rows a page has unless another number is asked for, and the most.
PAGE_SIZE: Final = 100
MOST_A_PAGE: Final = 1000
_SIZE, _CURSOR = "page_size", "cursor"
PARAMETERS: Final = (_SIZE, _CURSOR)


class CursorPages(BasePagination):
    """Latest first: by id, or where the view's `indexed_time` is asked for, by that and id.

    A page begins where the one before it ended, by the value and the id of its last row. So
    every row that was there at the first page comes exactly once. Django REST framework's
    own cursor has no second column: it counts rows of one time by an offset, and repeats or
    loses rows where others are added to them.
    """

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        self.request = request
        self.column = self._column(view)
        size = self._size()
        if (cursor := request.query_params.get(_CURSOR)) is not None:
            queryset = queryset.filter(self._beyond(cursor))
        order = ("-pk",) if self.column == "pk" else (f"-{self.column}", "-pk")
        rows = list(queryset.order_by(*order)[: size + 1])
        self.last: Model | None = rows[size - 1] if len(rows) > size else None
        return rows[:size]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._next(), "results": data})

    def _column(self, view: APIView | None) -> str:
        time: str | None = getattr(view, "indexed_time", None)
        # Rows of a time asked for lie anywhere among the ids, and together in its index.
        asked = time and {f"{time}_from", f"{time}_before"} & set(self.request.query_params)
        return time if time and asked else "pk"

    def _size(self) -> int:
        told = self.request.query_params.get(_SIZE, str(PAGE_SIZE))
        if not (re.fullmatch("[0-9]{1,4}", told) and 1 <= int(told) <= MOST_A_PAGE):
            raise ValidationError({_SIZE: f"Ask for 1 to {MOST_A_PAGE} rows."})
        return int(told)

    def _next(self) -> str | None:
        if self.last is None:
            return None
        value = getattr(self.last, self.column)
        place = value.isoformat() if isinstance(value, datetime) else ""
        cursor = urlsafe_b64encode(f"{self.column}|{place}|{self.last.pk}".encode()).decode()
        return replace_query_param(self.request.build_absolute_uri(), _CURSOR, cursor)

    def _beyond(self, cursor: str) -> Q:
        """The rows that come after the place that a cursor tells."""
        try:
            column, place, pk = b64decode(cursor, "-_", validate=True).decode().split("|")
            if column != self.column:
                raise ValueError("It belongs to other parameters.")
            if column == "pk":
                return Q(pk__lt=int(pk))
            moment = datetime.fromisoformat(place)
            if moment.tzinfo is None:
                raise ValueError("It tells no time that rows have.")
            moment = moment.astimezone(UTC)
            # The first condition is what the index is entered by.
            before = Q(**{f"{column}__lt": moment}) | Q(pk__lt=int(pk))
            return Q(**{f"{column}__lte": moment}) & before
        except (ValueError, OverflowError) as error:
            told = "This is no cursor of these rows: take it from “next”, with the same filters."
            raise ValidationError({_CURSOR: told}) from error

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        following = {
            "type": "string",
            "format": "uri",
            "nullable": True,
            "description": "The address of the next page; null on the last one.",
        }
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {"next": following, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": MOST_A_PAGE, "default": PAGE_SIZE}
        told = {
            _SIZE: ("Rows a page has.", size),
            _CURSOR: ("Where the page begins: from “next”.", {"type": "string"}),
        }
        return [
            {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
            for name, (text, schema) in told.items()
        ]
