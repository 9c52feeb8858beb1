"""Who may open which page: who may view all that stands on it, as the lists and the API have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from django.contrib.auth.models import AnonymousUser, Permission, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

#: By a page's name, what its user must have; all of the staff may open the others.
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "overview": (
        "trades.view_trade",
        "positions.view_lot",
        "webhooks.view_webhooklog",
        "wal.view_entry",
        "wal.view_refusal",
        "watch.view_alarm",
    ),
    "compare-export": (
        "trades.view_trade",
        "trades.view_importbatch",
        "positions.view_lot",
        "webhooks.view_webhooklog",
        "wal.view_entry",
        "wal.view_refusal",
    ),
    "correct-trade": ("trades.view_trade", "trades.add_correction"),
}


class PermissionLacking(PermissionDenied):
    """The user lacks these permissions; the page that refuses names them (tradelog.handlers)."""

    def __init__(self, lacking: list[str]) -> None:
        super().__init__(*lacking)
        self.lacking = lacking

    def named(self) -> list[str]:
        """As the admin has them where they are given."""
        return named(self.lacking)


def named(permissions: Sequence[str]) -> list[str]:
    """As the admin has them where they are given: "Alerts | alert | Can view alert"."""
    codenames = [permission.partition(".")[2] for permission in permissions]
    given = Permission.objects.filter(codename__in=codenames)
    found = {
        f"{permission.content_type.app_label}.{permission.codename}": str(permission)
        for permission in given.select_related("content_type")
    }
    return [found.get(permission, permission) for permission in permissions]


def may_open(user: User | AnonymousUser, page: str) -> bool:
    """Whether one of the staff may open a page."""
    return user.has_perms(NEEDED.get(page, ()))


def ask_for(request: HttpRequest, *permissions: str) -> User:
    """The user, who is logged in and has all of these; raises PermissionLacking."""
    user = request.user
    lacking = [permission for permission in permissions if not user.has_perm(permission)]
    if lacking:
        raise PermissionLacking(lacking)
    assert user.is_authenticated
    return user
