"""How the value of an alert's field is read.

Names may vary; values do not get that freedom, because a misread price is worse
than a refused one. Every converter here either gives the exact value or raises
`Unreadable` with a sentence for the trader.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from trades.numeric import DECIMALS, DIGITS
from webhooks.fields import TOKEN_FIELDS, normalise

Value = TypeVar("Value")


class Unreadable(Exception):
    """A value that cannot be read; its text says what came and what to send."""


@dataclass(frozen=True, slots=True)
class NoNumber:
    """What JSON calls a number and no Decimal can hold: NaN, Infinity, 1e99999999999999999999."""

    text: str

    def __str__(self) -> str:
        return self.text


# What a value is, before it is read.

#: Whitespace that may surround a text. Not U+001C..U+001F, which Python counts
#: as whitespace too: those must be seen as what they are, control characters.
WHITESPACE: Final = "\t\r\n\ufeff" + "".join(
    char
    for char in map(chr, range(0x3001))
    if char.isspace() and unicodedata.category(char) != "Cc"
)


def is_blank(value: object) -> bool:
    """Whether the field might as well not be there."""
    return value is None or (isinstance(value, str) and not value.strip(WHITESPACE))


def is_unfilled(value: object) -> bool:
    """Whether the text still holds a {{placeholder}}."""
    # Not by a regular expression: a body of braces would keep it busy for minutes.
    if not isinstance(value, str) or (start := value.find("{{")) < 0:
        return False
    return value.find("}}", start) >= 0


def shown(value: object) -> str:
    """The value as a fault's text names it: short, and storable."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "an object"
        case list():
            return "a list"
    text = _without(str(value)[:61], _UNSHOWABLE)
    text = text if len(text) <= 60 else f"{text[:59]}…"
    return f'"{text}"' if isinstance(value, str) else text


#: Cc: control characters; Cs: halves of surrogate pairs, which no encoding can store.
_UNSTORABLE: Final = frozenset({"Cc", "Cs"})
#: Cf as well: a fault's text must not be turned round by a bidirectional mark.
_UNSHOWABLE: Final = _UNSTORABLE | {"Cf"}


def _without(text: str, categories: frozenset[str], keep: str = "") -> str:
    if text.isascii() and text.isprintable():
        return text  # As nearly always: of these characters none is in any such category.
    return "".join(
        "\ufffd" if unicodedata.category(char) in categories and char not in keep else char
        for char in text
    )


# Converters: a value that is neither blank nor unfilled -> what it means.


def number(value: object) -> Decimal:
    """Exactly the number that was sent, without exponent or trailing zeros."""
    if isinstance(value, NoNumber):
        raise Unreadable(f"{shown(value)} is no number; send a finite one, such as 1234.5")
    if isinstance(value, str):
        value = _number_from_text(value)
    if not isinstance(value, Decimal):
        raise Unreadable(f"{shown(value)} is no number; send one such as 1234.5")
    if value.is_zero():
        return Decimal(0)
    # The exponent is looked at before any arithmetic: 1e999999999 has ten
    # characters, and a billion digits once it is written out.
    if value.adjusted() >= DIGITS:
        raise Unreadable(f"{shown(value)} is too large; numbers must be below 10^{DIGITS}")
    sign, digits, places = value.as_tuple()
    if places == 0 or (-DECIMALS <= int(places) < 0 and digits[-1]):
        return value  # It is written that way already.
    written = "".join(map(str, digits)).rstrip("0")
    exponent = int(places) + len(digits) - len(written)
    if exponent < -DECIMALS:
        told = f"has more than {DECIMALS} decimals; send at most {DECIMALS}"
        raise Unreadable(f"{shown(value)} {told}")
    written += "0" * exponent
    # Built from its digits, since arithmetic would round to the context's 28.
    return Decimal((sign, tuple(map(int, written)), min(exponent, 0)))


_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")


def _number_from_text(text: str) -> Decimal:
    written = text.strip(WHITESPACE)
    if not _NUMBER.fullmatch(written):
        raise Unreadable(
            f"{shown(text)} is no number; send one such as 1234.5,"
            " with a point for decimals and no thousands separators"
        )
    return Decimal(written)


def positive(value: object) -> Decimal:
    found = number(value)
    if found <= 0:
        raise Unreadable(f"{shown(value)} is not above 0; send a positive number")
    return found


def not_negative(value: object) -> Decimal:
    found = number(value)
    if found < 0:
        raise Unreadable(f"{shown(value)} is below 0; send the size without a sign")
    return found


def level(value: object) -> Decimal | None:
    """A stop or a target as a price; None where it is none, or is told otherwise.

    Charts that have none plot 0 or say false, and some bots take an object, several targets or a
    percentage. It moves nothing here, so no order is refused for these. For what is no number one
    is, as the NaN of a plot that is na: a number that cannot be read is never taken for none.
    """
    if isinstance(value, dict | list | bool):
        return None
    if isinstance(value, str) and value.rstrip(WHITESPACE).endswith("%"):
        return None
    return not_negative(value) or None


def if_any(convert: Callable[[object], Value]) -> Callable[[object], Value | None]:
    """Reads as `convert` does, but None from what that cannot read: no order is refused for it."""

    def read(value: object) -> Value | None:
        try:
            return convert(value)
        except Unreadable:
            return None

    return read


def name(limit: int) -> Callable[[object], str]:
    """A converter for names of up to `limit` characters. Numbers count as their text."""

    def read(value: object) -> str:
        text = _text(value)
        if _without(text, _UNSTORABLE) != text:
            raise Unreadable(f"{shown(value)} holds control characters; send plain text")
        if len(text) > limit:
            raise Unreadable(f"{shown(value)} has {len(text)} characters; send at most {limit}")
        return text

    return read


_currency_name: Final = name(20)


def currency(value: object) -> str:
    """A currency in capitals, as TradingView tells it: `usd` and `USD` are summed up as one.

    What is longer than trades hold is none. Cut, two might become one.
    """
    text = _currency_name(value)
    # Other letters may become several.
    return text.upper() if text.isascii() else text


def label(value: object) -> str:
    """What tells one order from the next, whole, however long; JSON of what is no text.

    No order is refused for it.
    """
    if not isinstance(value, str | Decimal):
        value = json.dumps(storable(value), ensure_ascii=False, sort_keys=True)
    return _without(_text(value), _UNSTORABLE, keep="\t\r\n")


def remark(value: object) -> str:
    """Free text, its first 4,000 characters; "" for what is no text.

    No order is refused for it, so it is cleaned; the message keeps it whole.
    """
    if not isinstance(value, str | Decimal):
        return ""
    return _without(_text(value), _UNSTORABLE, keep="\t\r\n")[:4000]


def _text(value: object) -> str:
    if isinstance(value, str | Decimal):
        return str(value).strip(WHITESPACE)
    raise Unreadable(f"{shown(value)} is no text; send one in double quotes")


def word(*allowed: str) -> Callable[[object], str]:
    """A converter for one of a few words, in any case and with any separators."""
    known = {normalise(each): each for each in allowed}

    def read(value: object) -> str:
        found = known.get(normalise(value.strip(WHITESPACE))) if isinstance(value, str) else None
        if found is None:
            raise Unreadable(f"{shown(value)} is not known here; send one of {', '.join(allowed)}")
        return found

    return read


def flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        value = {"true": True, "1": True, "false": False, "0": False}.get(
            value.strip(WHITESPACE).lower(), value
        )
        if isinstance(value, bool):
            return value
    if isinstance(value, Decimal) and value in (0, 1):
        return value == 1
    raise Unreadable(f"{shown(value)} is neither; send true or false")


def storable(value: Any) -> Any:
    """What JSON columns can hold of a value we have no name for, without tokens."""
    match value:
        case dict():
            return {
                _without(each, _UNSTORABLE, keep="\t\r\n"): storable(held)
                for each, held in value.items()
                if normalise(each) not in TOKEN_FIELDS
            }
        case list():
            return [storable(each) for each in value]
        case str():
            return _without(value, _UNSTORABLE, keep="\t\r\n")
        case Decimal() | NoNumber():
            # As text: as a float it would be another number.
            return str(value)
    return value
