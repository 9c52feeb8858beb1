"""Parameters of an address, none of which is passed over in silence."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import QueryDict
from rest_framework.exceptions import ValidationError


def check_parameters(given: QueryDict, *, known: Iterable[str]) -> None:
    """Raise ValidationError, by name, for what is unknown, empty, or there twice."""
    known = set(known)
    names = ", ".join(sorted(known)) or "none"
    wrong: dict[str, str] = {}
    for name, values in given.lists():
        if name not in known:
            wrong[name] = f"There is no such parameter; there are: {names}."
        elif len(values) > 1:
            wrong[name] = "Say this once."
        elif not values[0].strip():
            wrong[name] = "Say a value, or leave it out."
    if wrong:
        raise ValidationError(wrong)
