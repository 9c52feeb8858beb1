"""Filters of lists whose choices are known without reading the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib.admin.views.main import ERROR_FLAG, IGNORED_PARAMS, PAGE_VAR, SEARCH_VAR
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.http import urlencode

from audit.books import books_asked_for, on_symbol

if TYPE_CHECKING:
    from django.contrib.admin import SimpleListFilter as DropdownFilter
else:
    from unfold.contrib.filters.admin import DropdownFilter

#: What an address says of how rows are shown, and not of which.
_OF_THE_PAGE: Final = {*IGNORED_PARAMS, PAGE_VAR, ERROR_FLAG} - {SEARCH_VAR}


def asked_by(request: HttpRequest) -> str:
    """What its address narrows a list down by: `?q=btc&strategy=3`; `?` where it asks nothing."""
    asked = {
        name: values
        for name, values in request.GET.lists()
        if name not in _OF_THE_PAGE and any(value.strip() for value in values)
    }
    return f"?{urlencode(sorted(asked.items()), doseq=True)}"


class OneOf(DropdownFilter):
    """A column's value, one of a few."""

    column: str
    values: list[tuple[str, str]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return self.values

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


def one_of(column: str, values: list[tuple[str, str]], title: str = "") -> type[OneOf]:
    """A filter by a column's values; values with what they are called."""
    kept = {
        "title": title or column.replace("_", " "),
        # As the admin's own filters are called, so that links need not know which it is.
        "parameter_name": f"{column}__exact",
        "column": column,
        "values": values,
    }
    return type(f"By{column.title().replace('_', '')}", (OneOf,), kept)


class YesNo(DropdownFilter):
    """Whether something is so."""

    #: Of the rows it is so of.
    condition: Q
    #: What stands in links for yes and no.
    answers = ("yes", "no")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(zip(self.answers, ("yes", "no"), strict=True))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in self.answers:
            return queryset
        is_so = self.value() == self.answers[0]
        return queryset.filter(self.condition) if is_so else queryset.exclude(self.condition)


def flagged(column: str, title: str = "") -> type[YesNo]:
    """A filter by a column that is true or false."""
    kept = {
        "title": title or column,
        "parameter_name": f"{column}__exact",
        "condition": Q(**{column: True}),
        "answers": ("1", "0"),
    }
    return type(f"By{column.title()}", (YesNo,), kept)


class StrategyFilter(DropdownFilter):
    """One strategy, of those that have rows."""

    title = "strategy"
    parameter_name = "strategy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        books = books_asked_for(request, model_admin.model)
        found = {str(book.key): book.strategy for book in books if book.strategy}
        return sorted(found.items(), key=lambda choice: choice[1].casefold())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        known = self.value() in dict(self.lookup_choices)
        return queryset.filter(strategy=self.value()) if known else queryset.none()


class SymbolFilter(DropdownFilter):
    """One symbol, of those that have rows."""

    title = "symbol"
    parameter_name = "symbol"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.books = books_asked_for(request, model_admin.model)
        return [(name, name) for name in sorted({book.symbol for book in self.books}) if name]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        symbol = self.value()
        return queryset.filter(on_symbol(self.books, symbol)) if symbol else queryset
