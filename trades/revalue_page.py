"""The page that asks before the chosen trades are corrected to their strategies' point values."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from audit.shown import counted
from trades.models import Trade
from trades.revaluing import MOST, ChangedMeanwhile, digest, revaluations, revalue


def revalue_page(request: HttpRequest, chosen: QuerySet[Trade]) -> HttpResponse | None:
    """What would change, and a form that asks why; sent, it makes the corrections.

    None, with a message, where nothing would change. 400 where there is no reason, or where
    something else would change by now than was shown.
    """
    assert isinstance(request.user, User)
    ids = list(chosen.order_by().values_list("pk", flat=True)[: MOST + 1])
    if len(ids) > MOST:
        told = f"These are more than {MOST:,} trades: narrow the list down, and do it in parts."
        messages.warning(request, told)
        return None
    trades = Trade.objects.filter(pk__in=ids)
    fault, reason = "", request.POST.get("reason", "")
    if "shown" in request.POST:
        try:
            changes = revalue(trades, user=request.user, reason=reason, shown=request.POST["shown"])
        except ChangedMeanwhile:
            fault = "Nothing was changed: it is no longer what was shown. This is what it is now."
        except ValidationError as error:
            fault = " ".join(error.messages)
        else:
            number = sum(change.trades for change in changes)
            told = counted(number, "trade is", "trades are")
            messages.success(request, f"{told} corrected.")
            return redirect(request.get_full_path())
    changes = revaluations(trades)
    if not changes:
        told = "None of these trades counts with another point value than its strategy has now."
        messages.warning(request, told)
        return None
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Correct point values",
        "changes": changes,
        "shown": digest(changes),
        "number": sum(change.trades for change in changes),
        "left_out": len(ids) - sum(change.trades for change in changes),
        "reason": reason,
        "fault": fault,
        # What the list needs to come to the same trades again.
        "sent_again": [
            (name, value)
            for name in ("action", "select_across", ACTION_CHECKBOX_NAME)
            for value in request.POST.getlist(name)
        ],
    }
    return render(request, "trades/revalue.html", context, status=400 if fault else 200)
