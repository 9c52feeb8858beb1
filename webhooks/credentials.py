"""Who may send alerts, and keeping their tokens out of everything we store."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings

from faults import InvalidJSON
from webhooks.decoding import decode
from webhooks.fields import TOKEN_FIELDS, normalise

#: What stands where a token stood.
CUT = "***"

#: Shorter tokens are cut only where they stand alone: "T" must not be cut out of "BTC".
_LONG_ENOUGH_TO_CUT_ANYWHERE = 8


@dataclass(frozen=True, slots=True)
class Token:
    """One entry of WEBHOOK_TOKENS."""

    name: str
    value: str
    #: As `may_speak_for` has them.
    strategies: frozenset[str]


def may_speak_for(strategies: Collection[str], strategy: str) -> bool:
    """Whether who is bound to these strategies may send alerts of this one; who has none may."""
    return not strategies or strategy in strategies


def configured_tokens() -> tuple[Token, ...]:
    """The tokens of WEBHOOK_TOKENS, in its order."""
    return _parse_tokens(tuple(settings.WEBHOOK_TOKENS))


@lru_cache(maxsize=8)
def _parse_tokens(entries: tuple[str, ...]) -> tuple[Token, ...]:
    tokens = []
    for number, entry in enumerate(filter(None, map(str.strip, entries)), start=1):
        name, colon, rest = entry.partition(":")
        value, _, strategies = rest.partition(":") if colon else (entry, "", "")
        tokens.append(
            Token(
                name=name[:100] if colon else f"token {number}",
                value=value,
                strategies=frozenset(filter(None, map(str.strip, strategies.split("|")))),
            )
        )
    return tuple(token for token in tokens if token.value)


def identify(candidates: Iterable[str]) -> Token | None:
    """The configured token among what a request brought, if any.

    Every candidate is compared with every token in constant time and to the end,
    so that the time taken tells nothing about which one was nearly right.
    """
    found = None
    for candidate in candidates:
        for token in configured_tokens():
            if hmac.compare_digest(
                candidate.encode("utf-8", "surrogatepass"), token.value.encode()
            ):
                found = found or token
    return found


def tokens_in(body: bytes) -> list[str]:
    """What the token fields of a JSON body hold; nothing if the body is no JSON object."""
    try:
        return list(_token_values(decode(body)))
    except InvalidJSON:
        return []


def cut_tokens(body: bytes) -> bytes:
    """The body without tokens, every other byte as it came.

    Tokens of ours are cut wherever they stand and however they are spelled, so also
    from a body that is no JSON. What a token field holds is cut whatever it is: a token
    that has been rotated out, or is meant for somebody else, is no business of the
    log's either.
    """
    body = _cut_values(body)
    return _cut_fields(body) if _TOKEN_NAME.search(body) else body


def cut_tokens_from_text(text: str) -> str:
    """A line of a log, or an error's message, without tokens of ours and what was tried as one."""
    # Who mistypes a token, or still sends an old one, tells most of a secret.
    tried = _TRIED.sub(r"\1***", text) if _MAY_BE_ADDRESS.search(text) else text
    return _cut_values(tried.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


#: Most lines hold none of these, and that is told at once.
_MAY_BE_ADDRESS = re.compile(r"[/?&]")

#: In an address, up to where a token may stand, and what stands there.
_TRIED = re.compile(
    r"(/webhook/+|[?&](?:token|key|secret|passphrase|api_token)=)[^\s/?&'\"<>]+", re.IGNORECASE
)


def _as_in_json(characters: str) -> str:
    """A pattern of one of these, as it is or escaped."""
    either = {each for character in characters for each in (character.lower(), character.upper())}
    escaped = "|".join(f"{ord(each):04x}" for each in sorted(either))
    return rf"(?:[{re.escape(characters)}]|\\u(?:{escaped}))"


def _name_pattern(name: str) -> str:
    """A pattern of a field's name, in every spelling that `normalise` has for the same."""
    between = _as_in_json("_-. ") + "*"
    return between + between.join(map(_as_in_json, name)) + between


#: A token field of a JSON message, up to its value.
_TOKEN_NAME = re.compile(
    rf'"(?:{"|".join(map(_name_pattern, sorted(TOKEN_FIELDS)))})"\s*:\s*'.encode(), re.IGNORECASE
)
#: A value that is neither list nor object.
_PLAIN_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,{}\[\]"]+', re.DOTALL | re.ASCII)
_JSON = json.JSONDecoder(strict=False)


def _cut_fields(body: bytes) -> bytes:
    kept: list[bytes] = []
    at = 0
    # A character a byte, so that places are the same.
    text = body.decode("latin-1")
    for name in _TOKEN_NAME.finditer(body):
        # What stands within what has been cut is gone, and is not read again.
        if name.start() >= at and (end := _end_of_value(text, name.end())) > name.end():
            kept += body[at : name.end()], f'"{CUT}"'.encode()
            at = end
    return b"".join([*kept, body[at:]])


def _end_of_value(text: str, start: int) -> int:
    """Where the value of a field ends that begins there."""
    if text[start : start + 1] in ("[", "{"):
        try:
            return _JSON.raw_decode(text, start)[1]
        except (ValueError, RecursionError):
            # No JSON, so anything that follows may be of it.
            return len(text)
    plain = _PLAIN_VALUE.match(text, start)
    return plain.end() if plain else start


def _cut_values(text: bytes) -> bytes:
    tokens = configured_tokens()
    return _token_pattern(tokens).sub(CUT.encode(), text) if tokens else text


@lru_cache(maxsize=8)
def _token_pattern(tokens: tuple[Token, ...]) -> re.Pattern[bytes]:
    # Longest first: a token may begin with another one.
    values = sorted((token.value for token in tokens), key=len, reverse=True)
    return re.compile(
        b"|".join(
            _spellings(value)
            if len(value) >= _LONG_ENOUGH_TO_CUT_ANYWHERE
            else rb"(?<![A-Za-z0-9])%s(?![A-Za-z0-9])" % _spellings(value)
            for value in values
        )
    )


def _spellings(value: str) -> bytes:
    """A pattern of a token as it is, escaped as in JSON or in a URL, or in UTF-16 or UTF-32."""
    return rb"\0*".join(map(_character_spellings, value))


def _character_spellings(character: str) -> bytes:
    utf16 = character.encode("utf-16-be").hex()
    escapes = {
        "".join(rf"\u{utf16[place : place + 4]}" for place in range(0, len(utf16), 4)),
        "".join(f"%{byte:02x}" for byte in character.encode()),
        # Where the character has a short one: \" \\ \/
        f"\\{character}" if character in '"\\/' else character,
    }
    escaped = b"|".join(re.escape(escape.encode()) for escape in sorted(escapes - {character}))
    return b"(?:%s|(?i:%s))" % (re.escape(character.encode()), escaped)


def _token_values(document: dict[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _token_values(value)
        elif isinstance(value, str) and normalise(name) in TOKEN_FIELDS:
            yield value
