"""Counting rows of tables that are too long to count."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from django.core.paginator import Paginator

#: Rows that a list is paged through; older ones are found by a date or a filter.
MOST_PAGED: Final = 10_000


class BoundedPaginator(Paginator):
    """Stops counting at `MOST_PAGED`, whatever the table holds, and pages no further."""

    template_name = "audit/pagination.html"

    @cached_property
    def found(self) -> int:
        """How many rows there are, or one more than `MOST_PAGED` where there are more."""
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: MOST_PAGED + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self.found, MOST_PAGED)

    @property
    def has_more(self) -> bool:
        """Whether there are rows that no page shows."""
        return self.found > MOST_PAGED
