"""Settings as they are read: one that cannot be is named, and ends the program."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

#: Kinds of databases, as URLs begin. What is wrong with SQLite for the main one, a check tells.
_DATABASES: Final = ("postgres", "postgresql", "psql", "pgsql", "postgis", "sqlite")

#: Valkey speaks Redis; only the scheme is another.
_COUNTERS: Final = re.compile(r"\A(?:valkey|redis)(?=(?:cache|s)?://.)")

_SETTING: Final = re.compile(r"(?:export\s+)?([A-Za-z_0-9]+)\s*=\s*(.*)")

_WORDS: Final = {
    **dict.fromkeys(("true", "on", "ok", "y", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "n", "no", "0"), False),
}


class Environment(environ.Env):  # type: ignore[misc]  # It has no types.
    """The environment and `.env`, as django-environ reads them where that is strict enough.

    By itself it takes any word for false, and drops from a number what is no digit. What cannot
    be read raises ImproperlyConfigured, in a sentence that names the setting. An empty number,
    truth value or list is as good as not set.
    """

    def read_file(self, path: Path) -> None:
        """Take from an `.env` file what the environment has not; nothing where there is none.

        Raises ImproperlyConfigured. What stands in a line is not told: it may be a secret.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return
        except OSError as error:
            raise ImproperlyConfigured(f"{path} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise ImproperlyConfigured(f"{path} is no text in UTF-8: save it as that.")
        lines = []
        for number, line in enumerate(map(str.strip, text.splitlines()), 1):
            if not line or line.startswith("#"):
                continue
            if not (setting := _SETTING.fullmatch(line)):
                raise ImproperlyConfigured(
                    f"{path}, line {number}, is no setting: write NAME=value, or # and a comment."
                )
            lines.append(f"{setting[1]}={setting[2]}\n")
        self.read_env(StringIO("".join(lines)))

    def get_value(self, var: str, cast: Any = None, *args: Any, **options: Any) -> Any:
        if cast is list:
            entries = map(str.strip, self.str(var, default="").split(","))
            return [*filter(None, entries)] or options["default"]
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

    def folder(self, var: str, *, default: str, base: Path) -> Path:
        """A folder, made where there is none; below `base` unless the whole path is told."""
        folder = base / (self.str(var, default="") or default)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImproperlyConfigured(
                f"{var} is {str(folder)!r}, where no folder can be made: {error.strerror}."
            ) from None
        return folder

    def database(self, var: str) -> dict[str, Any]:
        """What Django connects to. The URL is not told on: it may hold a password."""
        url = self.str(var)
        try:
            if url.partition("://")[0] in _DATABASES:
                found = dict(self.db_url_config(url))
                # Kept in memory it would be another one in each process, and gone with it.
                if found["NAME"] not in ("", ":memory:") or "service" in found.get("OPTIONS", {}):
                    return found
        except ValueError:
            pass
        raise ImproperlyConfigured(
            f"{var} is no URL of a database: write postgres://user:password@host/name, special "
            "characters percent-encoded."
        )

    def cache(self, var: str) -> dict[str, Any]:
        """A Redis or Valkey. The URL is not told on: it may hold a password."""
        url, is_one = _COUNTERS.subn("redis", self.str(var))
        with suppress(ImproperlyConfigured, ValueError):
            for host in urlsplit(url).netloc.split(","):
                # Asked for, a port that is none raises; who connects would find out too late.
                _ = urlsplit(f"//{host}").port
            if is_one:
                return dict(self.cache_url_config(url))
        raise ImproperlyConfigured(f"{var} is no URL of a Redis or Valkey: write valkey://host/0.")


#: How a value of a type is read, and what one is that cannot be.
_READERS: Final[dict[Any, tuple[Callable[[str], Any], str]]] = {
    bool: (lambda text: _WORDS[text.lower()], "neither true nor false"),
    int: (int, "no whole number"),
    float: (float, "no number"),
    Decimal: (Decimal, "no number"),
}
