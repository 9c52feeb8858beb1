"""Lists as files: CSV and XLSX of the rows that a list's filters leave, in its order.

Numbers are plain decimals with every digit, times ISO 8601 in UTC, and no text is one
that a spreadsheet would take for a formula.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from import_export.fields import Field
from import_export.formats.base_formats import CSV, XLSX
from import_export.resources import ModelResource
from import_export.widgets import Widget

from audit.shown import digits

if TYPE_CHECKING:
    from django.contrib import admin

    class ExportMixin(admin.ModelAdmin[Any]):
        def _do_file_export(self, *given: Any) -> HttpResponse: ...
else:
    from import_export.admin import ExportMixin

#: A file is made in memory, and in the time a browser waits.
MOST_EXPORTED: Final = 50_000
_FORMATS: Final = {"csv": CSV, "xlsx": XLSX}
#: What a cell of a workbook takes, in units of UTF-16.
_MOST_IN_A_CELL: Final = 32_767
#: What XML, and so a workbook, has no way to hold.
_NOT_IN_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class PlainWidget(Widget):  # type: ignore[misc]
    """Writes a value as the module's docstring promises."""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Decimal):
            # A number to compute with where a workbook keeps all of it, else its digits as a text.
            as_number = kwargs.get("force_native_type") and fits_a_cell(value)
            return value if as_number else digits(value)
        if isinstance(value, datetime):
            return iso_utc(value)
        if isinstance(value, (bool, int)):
            return str(value).lower() if isinstance(value, bool) else value
        text = guarded(str(value))
        return in_a_cell(text) if kwargs.get("force_native_type") else text


def in_a_cell(text: str) -> str:
    r"""The text as a workbook can hold it: `\x01` for that character, and said where it is cut."""
    shown = _NOT_IN_XML.sub(lambda found: ascii(found[0])[1:-1], text)
    units = shown.encode("utf-16-le")
    if len(units) <= 2 * _MOST_IN_A_CELL:
        return shown
    said = f"… cut: {len(text):,} characters in all; the CSV has them"
    # A pair that is cut in two is left out.
    return units[: 2 * (_MOST_IN_A_CELL - len(said))].decode("utf-16-le", "ignore") + said


def fits_a_cell(number: Decimal) -> bool:
    """Whether a spreadsheet's number is this one: they are floats, with 15 digits."""
    return Decimal(f"{float(number):.15g}") == number


def iso_utc(moment: datetime) -> str:
    """2026-01-05T14:30:00.123456Z"""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def guarded(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would compute it (OWASP)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


class Rows(ModelResource):  # type: ignore[misc]
    """What a file has of a model's rows; subclasses name the columns."""

    @classmethod
    def widget_from_django_field(cls, f: Any, default: Any = PlainWidget) -> Any:
        return PlainWidget

    def export_resource(self, instance: Any, selected_fields: Any = None, **kwargs: Any) -> Any:
        # As the library does, but the columns are looked up once and not for each row; none of
        # them has a method of its own (`dehydrate_…`).
        if self._columns is None:
            self._columns = self.get_export_fields(selected_fields)
        return [field.export(instance, **kwargs) for field in self._columns]

    _columns: list[Any] | None = None

    @classmethod
    def widget_kwargs_for_field(cls, field_name: str, django_field: Any) -> dict[str, Any]:
        return {}


def told_by(attribute: str, header: str = "") -> Any:
    """A column that no field of the model's holds."""
    return Field(attribute=attribute, column_name=header or attribute, widget=PlainWidget())


class ExportedAdmin(ExportMixin):
    """A list with links that download its rows as files."""

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def export_action(self, request: HttpRequest) -> HttpResponse:
        """The file `?format=csv` or `xlsx` of what the other parameters leave of the list."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        asked = request.GET.copy()
        file_format = _FORMATS.get(str(asked.pop("format", [""])[0]))
        if file_format is None:
            raise Http404
        request.GET = asked  # type: ignore[assignment]
        meta = self.opts
        listed = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        try:
            rows = self.get_export_queryset(request)
        except IncorrectLookupParameters:
            # As the list does.
            return HttpResponseRedirect(f"{listed}?{ERROR_FLAG}=1")
        if rows.order_by().values("pk")[: MOST_EXPORTED + 1].count() > MOST_EXPORTED:
            self.message_user(
                request,
                f"These are more than {MOST_EXPORTED:,} rows, which is more than a file takes: "
                "narrow the list down by date or by a filter, and download it in parts.",
                messages.WARNING,
            )
            return HttpResponseRedirect(f"{listed}?{asked.urlencode()}")
        with transaction.atomic(), connection.cursor() as cursor:
            # All of the rows are read; PostgreSQL would begin so as to have the first ones soon.
            cursor.execute("SET LOCAL cursor_tuple_fraction = 1")
            return self._do_file_export(file_format(), request, rows)

    def get_export_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The list's own rows; IncorrectLookupParameters where that has none to show."""
        return self.for_export(self.get_changelist_instance(request).queryset)

    def for_export(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows with whatever their columns need."""
        return rows

    def get_export_filename(self, request: HttpRequest, queryset: Any, file_format: Any) -> str:
        name = str(self.opts.verbose_name_plural).replace(" ", "-")
        return f"{name}-{datetime.now(UTC):%Y-%m-%dT%H%MZ}.{file_format.get_extension()}"
