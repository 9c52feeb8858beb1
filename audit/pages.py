"""The admin's pages in the dress of the house, and those of rows that nobody edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.db import DataError, ProgrammingError
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit.columns import column
from audit.counting import BoundedPaginator
from audit.filters import asked_by
from audit.shown import NONE

if TYPE_CHECKING:
    from django.contrib import admin
    from django.contrib.admin.views.main import ChangeList

    ModelAdmin = admin.ModelAdmin[Any]
else:
    from unfold.admin import ModelAdmin
    from unfold.views import ChangeList

#: What comes of values that no column could have: a year 9999, a NUL, half a range.
_CANNOT_BE = (ValueError, ArithmeticError, LookupError, DataError, ProgrammingError)


class RowsAskedFor(ChangeList):
    """A list that takes every address; IncorrectLookupParameters if it asks for what cannot be.

    The admin's own finds some of it only as it counts the rows, and fails.
    """

    def __init__(self, request: HttpRequest, *given: Any) -> None:
        #: What narrows it down, for the templates.
        self.asked = asked_by(request)
        try:
            super().__init__(request, *given)
        except _CANNOT_BE as error:
            if request.GET.keys() <= {ERROR_FLAG}:  # Nothing is asked: the fault is ours.
                raise
            raise IncorrectLookupParameters(error) from error
        if self.clear_all_filters_qs == "?":
            self.clear_all_filters_qs = self.model_admin.all_rows  # type: ignore[attr-defined]


class PageAdmin(ModelAdmin):
    """A list, and a page for each of its rows."""

    #: The address that leaves no row out; another where the plain list does so.
    all_rows = "?"

    def get_changelist(self, request: HttpRequest, **given: Any) -> type[ChangeList]:
        return RowsAskedFor


class IndexedRows(RowsAskedFor):
    """A list whose rows of one value are in the order of the values, as its index has them.

    The admin's own has the latest first among the smallest and among the largest alike; where
    a value has many rows, all of them would be put in order for one page.
    """

    def get_ordering(self, request: HttpRequest, queryset: Any) -> Any:
        ordering = super().get_ordering(request, queryset)
        if len(ordering) == 2 and ordering[1] in ("-id", "-pk") and isinstance(ordering[0], str):
            return [ordering[0], "-id" if ordering[0].startswith("-") else "id"]
        return ordering


class ShownAdmin(PageAdmin):
    """Shows numbers exactly, times in the user's zone, states as labels."""

    empty_value_display = NONE
    list_fullwidth = True
    #: What the list says while there is nothing in it: a template.
    when_empty = ""
    #: What its rows are called, where that is another word than the list's title.
    rows_are = ""
    #: Fields that are a profit or a loss.
    gains: Sequence[str] = ()
    #: What fields are called, where that is another name than their own.
    titles: Mapping[str, str] = {}

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._shown(name) for name in super().get_list_display(request)]

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        return [self._shown(name) for name in super().get_sortable_by(request)]

    def _shown(self, name: Any) -> Any:
        if not isinstance(name, str) or name not in _fields(self.model):
            return name
        is_gain = name in self.gains
        return column(self.model, name, title=self.titles.get(name), is_gain=is_gain)  # type: ignore[arg-type]


class AuditTrailAdmin(ShownAdmin):
    """Rows as they are: no adding, changing or deleting. Lists stay fast however long they get."""

    paginator = BoundedPaginator
    show_full_result_count = False
    # They would count all rows, once a choice.
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_filter_submit = True
    change_form_template = "audit/row.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **given: Any) -> type[ChangeList]:
        return IndexedRows

    def get_ordering(self, request: HttpRequest) -> Any:
        name = self.date_hierarchy
        # By the index that has the chosen dates; ids would lead past everything since.
        if name and any(given.startswith(f"{name}__") for given in request.GET):
            return (f"-{name}", "-id")
        return super().get_ordering(request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [self._shown(name) for name in super().get_fields(request, obj)]


def _fields(model: type[Model]) -> set[str]:
    return {field.name for field in model._meta.concrete_fields}


def link(row: Model | None) -> SafeString | str:
    """A link to a row's own page."""
    if row is None:
        return NONE
    meta = row._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}" class="text-link">{}</a>', url, row)
