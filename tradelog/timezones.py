"""The time zone each user reads times in: kept, put into force for their pages, shown.

Everything is stored and exported in UTC; only what a page shows follows the user. A
response that is made while it is sent (a streamed export) is past the middleware and so
in UTC, unless it asks `zone_of` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, tzinfo
from functools import lru_cache
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django import forms
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget

from tradelog.models import TimeZonePreference
from tradelog.routes import is_for_people

#: What the files of a system hold besides zones that everybody knows by the same name.
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})

#: Zones whose names are abbreviations to PostgreSQL, which mean the same offset all year.
_ABBREVIATIONS = frozenset({"CET", "EET", "MET", "WET"})


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """The zones that can be chosen, by name."""
    return tuple(
        sorted(
            name
            for name in available_timezones() - _NO_ZONES - _ABBREVIATIONS
            if not name.startswith(("posix/", "right/", "SystemV/"))
        )
    )


def zone_of(user: AbstractBaseUser | AnonymousUser) -> tzinfo:
    """The zone a user has chosen; UTC if none, or if it is no longer known here."""
    if user.pk is None:
        return UTC
    name = TimeZonePreference.objects.filter(user=user.pk).values_list("name", flat=True).first()
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return UTC


def choose(user: User, name: str) -> None:
    """Keep the zone for this user; the name must be one of `zone_names`."""
    TimeZonePreference.objects.update_or_create(user=user, defaults={"name": name})


class TimeZoneMiddleware:
    """Puts the user's time zone into force while their page is made."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        finally:
            # The thread goes on to somebody else's request.
            timezone.deactivate()

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        match = request.resolver_match
        if match is not None and is_for_people(match.route):
            timezone.activate(zone_of(request.user))


class TimeZoneForm(forms.Form):
    """The choice of a time zone."""

    zone = forms.ChoiceField(
        label="Time zone",
        widget=UnfoldAdminSelectWidget,
        error_messages={"invalid_choice": "There is no time zone “%(value)s”."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["zone"].choices = _by_region()  # type: ignore[attr-defined]


def _by_region() -> list[tuple[str, Any]]:
    def region(name: str) -> str:
        return name.partition("/")[0] if "/" in name else "Other"

    grouped: Iterable[tuple[str, Iterable[str]]] = groupby(
        sorted(zone_names(), key=lambda name: (region(name) == "Other", region(name), name)), region
    )
    regions = [
        (name, [(zone, zone.replace("_", " ")) for zone in zones]) for name, zones in grouped
    ]
    return [("UTC", "UTC"), *regions]
