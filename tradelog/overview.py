"""The Overview: were all trades logged, and rightly; how does it stand?"""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from positions.exposure import open_positions, symbols_held
from tradelog.alert_builder import webhook
from tradelog.alert_messages import ALERT_MESSAGE
from tradelog.overview_alerts import alerts_shown
from tradelog.overview_filters import ALERT_DAYS, MOST_TRADES, OverviewForm, quick_periods
from tradelog.overview_trades import trades_shown
from tradelog.permissions import NEEDED, ask_for
from trades import results
from trades.books import traded_books
from trades.models import Strategy
from webhooks.credentials import configured_tokens
from webhooks.models import WebhookLog

_MOST_POSITIONS: Final = 20


@never_cache
@require_safe
@staff_member_required
def overview(request: HttpRequest) -> HttpResponse:
    """The page; 400 and what is wrong where its address asks for what cannot be."""
    ask_for(request, *NEEDED["overview"])
    zone, now = timezone.get_current_timezone(), timezone.now()
    books = traded_books()
    form = OverviewForm(
        request.GET,
        strategies=list(Strategy.objects.values_list("name", flat=True)),
        symbols=sorted({book.symbol for book in books} | symbols_held()),
    )
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Overview",
        "form": form,
        "zone": zone,
        "now": now,
    }
    if not form.is_valid():
        return render(request, "tradelog/overview.html", context, status=400)
    filters = form.filters()
    trades = trades_shown(filters, books, zone, now)
    alerts = alerts_shown(
        filters,
        zone,
        now,
        differing=trades.differing(filters, zone),
        backward=trades.backward(filters, zone),
    )
    positions, number = open_positions(
        strategy=filters.strategy, symbol=filters.symbol, most=_MOST_POSITIONS, now=now
    )
    context |= {
        "filters": filters,
        "here": trades.narrowed(filters),
        "trades": trades,
        "alerts": alerts,
        "positions": positions,
        "positions_left_out": number - len(positions),
        "quick_periods": quick_periods(filters, trades.reach, now.astimezone(zone).date()),
        "everything": filters.url(first=trades.reach.first, last=trades.reach.last)
        if trades.reach
        else "",
        "alert_days": ALERT_DAYS,
        "most_single_steps": results.MOST_SINGLE_STEPS,
        "most_trades": MOST_TRADES,
    }
    if not books and not alerts.traffic.alerts and not WebhookLog.objects.exists():
        context |= {
            "is_new": True,
            "webhook": webhook(request),
            "tokens": configured_tokens(),
            "message": ALERT_MESSAGE,
        }
    return render(request, "tradelog/overview.html", context)
