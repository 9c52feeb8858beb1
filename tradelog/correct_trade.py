"""The page where a trade that is wrong is corrected, by an entry that says what is right."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from audit.shown import exact
from tradelog.permissions import NEEDED, ask_for
from trades.corrections import correct, values_of
from trades.models import Correction, Trade
from trades.numeric import DECIMALS, DIGITS, plain


def _amount(label: str, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        help_text=help_text,
        max_digits=DIGITS + DECIMALS,
        decimal_places=DECIMALS,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


class CorrectionForm(forms.Form):
    """The trade as it should have been, at first as it counts now."""

    quantity = _amount("Quantity", "0: it never happened; what it was charged still counts.")
    entry_price = _amount("Entry price")
    exit_price = _amount("Exit price")
    point_value = _amount("Point value")
    commission = _amount("Commission", "Entry and exit together.")
    reason = forms.CharField(
        label="Why", strip=True, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, parameters: Any, counted: Trade | Correction, todays: Decimal) -> None:
        initial = {name: f"{plain(value):f}" for name, value in values_of(counted).items()}
        super().__init__(parameters, initial=initial)
        told = f"Of one contract. By its strategy it would be {exact(todays)} today."
        self.fields["point_value"].help_text = told


@never_cache
@require_http_methods(["GET", "POST"])
@staff_member_required
@transaction.atomic
def correct_trade(request: HttpRequest, trade_id: int) -> HttpResponse:
    """The form; a POST makes the correction and shows the trade.

    400 where it cannot be, or where somebody has corrected the trade since the form was shown:
    the form would say again what counted before.
    """
    user = ask_for(request, *NEEDED["correct-trade"])
    trades = Trade.objects.select_related("strategy")
    if request.method == "POST":
        # What stands now is what stands as the correction is made.
        trades = trades.select_for_update(of=("self",))
    trade = get_object_or_404(trades, pk=trade_id)
    standing = trade.corrections.select_related("made_by").filter(stands=True).first()
    shown = str(standing.pk) if standing else ""
    is_overtaken = bool(request.POST and shown) and request.POST.get("shown") != shown
    counted = standing or trade
    todays = trade.strategy.point_value_of(trade.symbol)
    form = CorrectionForm(request.POST or None, counted, todays)
    if form.is_valid() and not is_overtaken:
        changed: dict[str, Decimal] = {
            name: form.cleaned_data[name]
            for name, value in values_of(counted).items()
            if form.cleaned_data[name] != value
        }
        try:
            correction = correct(trade, user=user, reason=form.cleaned_data["reason"], **changed)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            told = f"Its P&L counts as {exact(correction.pnl)} now; {exact(trade.pnl)} was booked."
            messages.success(request, f"The trade is corrected. {told}")
            return redirect("admin:trades_trade_change", trade.pk)
    context = {
        **admin.site.each_context(request),
        "title": f"Correct trade {trade.pk}",
        "form": form,
        "trade": trade,
        "standing": standing,
        "shown": shown,
        "is_overtaken": is_overtaken,
    }
    is_refused = is_overtaken or form.errors
    return render(
        request, "tradelog/correct_trade.html", context, status=400 if is_refused else 200
    )
