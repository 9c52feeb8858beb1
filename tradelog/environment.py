"""Settings as they are read: one that cannot be is named, and ends the program."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

import environ
from django.core.exceptions import ImproperlyConfigured

#: Kinds of databases, as URLs begin. What is wrong with SQLite for the main one, a check tells.
_DATABASES: Final = ("postgres", "postgresql", "psql", "pgsql", "postgis", "sqlite")

_WORDS: Final = {
    **dict.fromkeys(("true", "on", "ok", "y", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "n", "no", "0"), False),
}


class Environment(environ.Env):  # type: ignore[misc]  # It has no types.
    """The environment and `.env`, as django-environ reads them where that is strict enough.

    By itself it takes any word for false, and drops from a number what is no digit. What cannot
    be read raises ImproperlyConfigured, in a sentence that names the setting. An empty number
    or truth value is as good as not set.
    """

    def get_value(self, var: str, cast: Any = None, *args: Any, **options: Any) -> Any:
        if cast not in _READERS:
            return super().get_value(var, cast, *args, **options)
        read, kind = _READERS[cast]
        text = self.str(var, default="").strip()
        if not text:
            return options["default"]
        with suppress(ArithmeticError, LookupError, ValueError):
            if math.isfinite(value := read(text)):
                return value
        raise ImproperlyConfigured(f"{var} is {text!r}, which is {kind}.")

    def one_of(self, var: str, words: Iterable[str], *, default: str) -> str:
        """One of these words, in any case."""
        text = self.str(var, default="").strip() or default
        for word in words:
            if word.lower() == text.lower():
                return word
        raise ImproperlyConfigured(f"{var} is {text!r}, which is none of {', '.join(words)}.")

    def database(self, var: str) -> dict[str, Any]:
        """What Django connects to. The URL is not told on: it may hold a password."""
        url = self.str(var)
        try:
            if url.partition("://")[0] in _DATABASES:
                return dict(self.db_url_config(url))
        except ValueError:
            pass
        raise ImproperlyConfigured(
            f"{var} is no URL of a database: write postgres://user:password@host/name, special "
            "characters percent-encoded."
        )

    def cache(self, var: str) -> dict[str, Any]:
        """A Redis or Valkey. The URL is not told on: it may hold a password."""
        try:
            # Valkey speaks Redis; only the scheme is another.
            return dict(self.cache_url_config(re.sub(r"\Avalkey", "redis", self.str(var))))
        except (ImproperlyConfigured, ValueError):
            raise ImproperlyConfigured(
                f"{var} is no URL of a Redis or Valkey: write valkey://host/0."
            ) from None


#: How a value of a type is read, and what one is that cannot be.
_READERS: Final[dict[Any, tuple[Callable[[str], Any], str]]] = {
    bool: (lambda text: _WORDS[text.lower()], "neither true nor false"),
    int: (int, "no whole number"),
    float: (float, "no number"),
    Decimal: (Decimal, "no number"),
}
