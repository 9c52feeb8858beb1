"""Where users say in which time zone they read times."""

from __future__ import annotations

from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tradelog.permissions import may_open
from tradelog.timezones import TimeZoneForm, choose, zone_of


@never_cache
@require_http_methods(["GET", "POST"])
@staff_member_required
def time_zone(request: HttpRequest) -> HttpResponse:
    """Show the choice, or keep it and go back to where the user came from (`next`)."""
    following = _following(request)
    form = TimeZoneForm(request.POST or None, initial={"zone": str(zone_of(request.user))})
    if request.method == "POST" and form.is_valid():
        assert request.user.is_authenticated
        choose(request.user, form.cleaned_data["zone"])
        messages.success(request, f"Times are shown in {form.cleaned_data['zone']}.")
        return redirect(following)
    context = {
        **admin.site.each_context(request),
        "title": "Time zone",
        "form": form,
        "following": following,
    }
    status = 400 if form.errors else 200
    return render(request, "tradelog/time_zone.html", context, status=status)


def _following(request: HttpRequest) -> str:
    told = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        told, {request.get_host()}, require_https=request.is_secure()
    )
    if is_ours:
        return told
    return reverse("overview" if may_open(request.user, "overview") else "admin:index")
