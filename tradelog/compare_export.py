"""The page that compares TradingView's own list of trades with the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from audit.shown import counted, exact
from tradelog.kept_exports import TooManyTrades, keep, kept
from tradelog.permissions import NEEDED, ask_for
from tradelog.timezones import zone_names
from trades.books import traded_books
from trades.comparison.matching import Difference, Pair
from trades.comparison.tolerances import (
    Tolerances,
    read_time_tolerance,
    read_tolerance,
    usual_tolerances,
)
from trades.exports.exported import Export
from trades.exports.reader import read_export
from trades.exports.tables import MOST_BYTES
from trades.exports.unreadable import ExportUnreadable
from trades.imports import NotUndoable, undo
from trades.models import ImportBatch, Strategy
from webhooks.export_comparison import Choice, Comparison, NotComparable, compare
from webhooks.export_import import import_missing
from webhooks.export_report import shown, told_counts, told_import, told_setting

#: Rows of a table that are shown; the command lists them all.
_MOST_ROWS: Final = 300
_MOST_IMPORTS: Final = 20

_MAY_IMPORT: Final = "trades.add_importbatch"
_MAY_UNDO: Final = "trades.change_importbatch"


class ExportForm(forms.Form):
    """A file, and what is not to be found from its trades."""

    file = forms.FileField(
        label="List of trades, CSV or XLSX",
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.xlsx"}),
        error_messages={"required": "Choose a file."},
    )
    strategy = forms.ChoiceField(required=False, help_text="Else: the book whose trades fit.")
    symbol = forms.CharField(
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"list": "symbols", "autocomplete": "off"}),
    )
    time_zone = forms.CharField(
        required=False,
        label="Time zone of the chart",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text="Else: the one in which most trades fit.",
    )
    time_tolerance = forms.CharField(
        required=False,
        label="Times may differ by",
        max_length=10,
        help_text="Else: 60s, or 1d where the list tells dates alone.",
    )
    price_tolerance = forms.CharField(label="Prices may differ by", max_length=30)
    quantity_tolerance = forms.CharField(label="Quantities may differ by", max_length=30)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = Strategy.objects.values_list("name", flat=True)
        self.fields["strategy"].choices = [  # type: ignore[attr-defined]
            ("", "found by its trades"),
            *((name, name) for name in names),
        ]
        default = Tolerances()
        self.fields["price_tolerance"].initial = str(default.price)
        self.fields["quantity_tolerance"].initial = str(default.quantity)

    def clean_time_tolerance(self) -> Any:
        if not self.cleaned_data["time_tolerance"]:
            return None  # The usual one of the export.
        return self._read("time_tolerance", read_time_tolerance)

    def clean_price_tolerance(self) -> Any:
        return self._read("price_tolerance", read_tolerance)

    def clean_quantity_tolerance(self) -> Any:
        return self._read("quantity_tolerance", read_tolerance)

    def _read(self, name: str, read: Callable[[str], Any]) -> Any:
        try:
            return read(self.cleaned_data[name])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def choice(self, export: Export) -> Choice:
        """What was chosen for this export, once the form is valid."""
        told = self.cleaned_data
        time = told["time_tolerance"]
        if time is None:
            time = usual_tolerances(export).time
        return Choice(
            told["strategy"] or None,
            told["symbol"].strip() or None,
            told["time_zone"].strip() or None,
            Tolerances(time, told["price_tolerance"], told["quantity_tolerance"]),
        )


@never_cache
@require_http_methods(["GET", "POST"])
@staff_member_required
def compare_export(request: HttpRequest) -> HttpResponse:
    """The page; a POST compares the file that comes with it. 400 where that cannot be."""
    ask_for(request, *NEEDED["compare-export"])
    if request.method == "GET":
        return _page(request, ExportForm())
    form = ExportForm(request.POST, request.FILES)
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES and "file" not in request.FILES:
        form.errors["file"] = form.error_class(["The file is larger than 10 MB."])
    if not form.is_valid():
        return _page(request, form, status=400)
    try:
        uploaded = form.cleaned_data["file"]
        export = read_export(uploaded.read(), uploaded.name)
        choice = form.choice(export)
        comparison = compare(export, choice)
    except ExportUnreadable as unreadable:
        form.errors["file"] = form.error_class(str(unreadable).split("\n"))
        return _page(request, form, status=400)
    except NotComparable as error:
        form.add_error(None, str(error))
        return _page(request, form, status=400)
    context = _report(comparison)
    if comparison.importable:
        try:
            context["kept"] = keep(export, choice)
        except TooManyTrades:
            context["too_many"] = True
    return _page(request, form, **context)


@never_cache
@require_POST
@staff_member_required
def import_export_of(request: HttpRequest) -> HttpResponse:
    """Bring in what was shown as missing; looked at again, and left out what is here by now."""
    user = ask_for(request, _MAY_IMPORT)
    try:
        export, choice = kept(request.POST.get("kept", ""))
        comparison, batch = import_missing(export, choice, user)
    except BadSignature:
        # Expired, or not from a page of ours.
        messages.error(request, "Nothing was imported: the comparison is too old. Compare again.")
    except NotComparable as error:
        messages.error(request, f"Nothing was imported: {error}")
    else:
        told = " ".join(told_import(comparison, batch)[1 if batch else 0 :])
        if batch is None:
            messages.warning(request, told)
        else:
            trades = counted(batch.count, "trade")
            messages.success(request, f"Imported {trades} as import {batch.pk}. {told}".strip())
    return redirect("compare-export")


@never_cache
@require_POST
@staff_member_required
def undo_import(request: HttpRequest, batch_id: int) -> HttpResponse:
    """Take an import's trades out again."""
    user = ask_for(request, _MAY_UNDO)
    try:
        batch = undo(batch_id, user)
    except ImportBatch.DoesNotExist:
        messages.error(request, f"There is no import {batch_id}.")
    except NotUndoable as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Import {batch.pk} is undone: its trades are taken out.")
    return redirect("compare-export")


def _report(comparison: Comparison) -> dict[str, Any]:
    found: dict[str, Sequence[Any]] = {
        "missing_here": comparison.missing_here,
        "missing_there": comparison.missing_there,
        "differing": [
            _Differing(pair, one) for pair in comparison.differing for one in pair.differences
        ],
    }
    return {
        "comparison": comparison,
        "setting_lines": told_setting(comparison),
        "count_lines": told_counts(comparison),
        **{name: rows[:_MOST_ROWS] for name, rows in found.items()},
        "left_out": any(len(rows) > _MOST_ROWS for rows in found.values()),
        "most_rows": _MOST_ROWS,
    }


@dataclass(frozen=True, slots=True)
class _Differing:
    """One row of the table of differences."""

    pair: Pair
    difference: Difference

    @property
    def field(self) -> str:
        return self.difference.field.replace("_", " ")

    @property
    def is_time(self) -> bool:
        return self.difference.field.endswith("time")

    @property
    def by(self) -> str:
        by = self.difference.by
        if by is None:
            return ""
        return exact(by) if isinstance(by, Decimal) else shown(by)


def _page(
    request: HttpRequest, form: ExportForm, *, status: int = 200, **context: Any
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": "Compare an export",
        "form": form,
        "symbols": sorted({book.symbol for book in traded_books()}),
        "zones": zone_names(),
        "imports": ImportBatch.objects.select_related("strategy", "imported_by", "undone_by")[
            :_MOST_IMPORTS
        ],
        "may_import": request.user.has_perm(_MAY_IMPORT),
        "may_undo": request.user.has_perm(_MAY_UNDO),
        **context,
    }
    return render(request, "tradelog/compare_export.html", context, status=status)
