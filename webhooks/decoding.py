"""From a message's bytes to a JSON object, its numbers exact.

Pure, as what is read from it (`payload.py`).
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from faults import InvalidJSON
from webhooks.fields import meaning_of
from webhooks.telling import unfilled
from webhooks.values import NoNumber, is_blank, shown

#: Levels of lists and objects in a message. A fixed number, since where Python's
#: own limit strikes depends on how deep the caller stands.
_DEEPEST: Final = 32


class _Members(dict[str, Any]):
    """A JSON object, and which of its names came twice with different values."""

    repeated: frozenset[str] = frozenset()


def decode(body: bytes) -> dict[str, Any]:
    """The body as a JSON object, its numbers Decimal or, where no Decimal can be, NoNumber.

    Of a name that comes twice, the last value that is not blank counts.
    """
    try:
        text = str(body, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"The message is not UTF-8 (byte {error.start + 1}).") from None
    if not text.strip():
        raise InvalidJSON("The message is empty.")
    try:
        document = _DECODER.decode(text)
        too_deep = _is_deeper_than(_DEEPEST, document)
    except json.JSONDecodeError as error:
        raise InvalidJSON(
            f"The message is not JSON (line {error.lineno}, column {error.colno}: {error.msg}).",
            fields=_unquoted_placeholders(text),
        ) from None
    except RecursionError:
        too_deep = True
    if too_deep:
        raise InvalidJSON(f"The message is nested more than {_DEEPEST} levels deep.")
    if not isinstance(document, dict):
        raise InvalidJSON(
            'The message must be a JSON object, such as {"action": "buy", "price": 1.5};'
            f" it is {shown(document)}."
        )
    return document


def _members(pairs: list[tuple[str, Any]]) -> _Members:
    members, repeated = _Members(), set()
    for name, value in pairs:
        if not is_blank(members.get(name)):
            if is_blank(value):
                continue
            if members[name] != value:
                repeated.add(name)
        members[name] = value
    members.repeated = frozenset(repeated)
    return members


def _number(text: str) -> Decimal | NoNumber:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return NoNumber(text)
    return found if found.is_finite() else NoNumber(text)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=_number, parse_int=_number, parse_constant=NoNumber
)


def _is_deeper_than(limit: int, document: object) -> bool:
    level = [document]
    for _ in range(limit + 1):
        held: list[object] = []
        for value in level:
            if isinstance(value, dict):
                held.extend(value.values())
            elif isinstance(value, list):
                held.extend(value)
        level = held
    return bool(level)


_UNQUOTED_PLACEHOLDER: Final = re.compile(r'"([^"\\]{1,60})"\s{0,9}:\s{0,9}(\{\{[^{}"]{0,60}\}\})')


def _unquoted_placeholders(text: str) -> dict[str, str]:
    # {"price": {{close}}} is no JSON unless TradingView filled it in.
    found: dict[str, str] = {}
    for name, placeholder in _UNQUOTED_PLACEHOLDER.findall(text):
        if (meaning := meaning_of(name)) is not None:
            found.setdefault(meaning.field, unfilled(placeholder))
    return found
