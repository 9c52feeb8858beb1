"""Searching a list by correlation id, id, strategy and symbol, each by an index."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest

import arguments
from audit.books import books_asked_for, correlation_range, with_words
from audit.pages import AuditTrailAdmin


def id_in(text: str) -> int | None:
    """The id that #17 or 17 tells, if any; of what is too large for one, the largest."""
    number = text.removeprefix("#")
    return min(int(number), arguments.MOST) if number.isdecimal() else None


class BookAdmin(AuditTrailAdmin):
    """Rows of books, found by what a person knows of them."""

    #: Makes the admin show the field; what is looked for is said below.
    search_fields = ("symbol",)
    search_help_text = "Strategy, symbol, correlation id or its start, #id"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        if text.startswith("#") and (asked := id_in(text)) is not None:
            return queryset.filter(pk=asked), False
        condition = with_words(books_asked_for(request, self.model), text)
        if ids := correlation_range(text):
            condition |= Q(pk__in=list(self.with_correlation_id(*ids)))
        return queryset.filter(condition), False

    def with_correlation_id(self, first: UUID, last: UUID) -> Iterable[int]:
        """The ids of rows that these correlation ids lead to; the first thousand of them."""
        raise NotImplementedError
