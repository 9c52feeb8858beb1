"""The JSON message in a mail's text: TradingView wraps it in words and HTML of its own."""

from __future__ import annotations

import json
from email.message import EmailMessage, MIMEPart
from html.parser import HTMLParser
from typing import Final

from faults import InvalidJSON
from webhooks.decoding import decode
from webhooks.mail.refused import Refused

#: How many braces are tried as the beginning of a message.
_MOST_BRACES: Final = 100

#: Numbers stay text: only where a message ends is asked here.
_JSON: Final = json.JSONDecoder(parse_float=str, parse_int=str)


def message_in(mail: EmailMessage) -> str:
    """The one JSON object in the mail's plain text, or else in its HTML. Raises Refused.

    Attachments, and mails within the mail, are not looked at.
    """
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        if part is None:
            continue
        text = _decoded(part)
        messages = _distinct(_objects(text_of_html(text) if kind == "html" else text))
        if len(messages) > 1:
            raise Refused(f"it holds {len(messages)} different messages in JSON, and must hold one")
        if messages:
            return messages[0]
    raise Refused("it holds no message in JSON")


def _decoded(part: MIMEPart) -> str:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    charset = part.get_content_charset("utf-8")
    try:
        # Strictly: a symbol with a replaced character is another symbol.
        return content.decode(charset)
    except (LookupError, UnicodeDecodeError):
        raise Refused("its text is not in the character set it names") from None


def text_of_html(html: str) -> str:
    """What a reader sees of HTML, without style and scripts."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    # Spaces that do not break are spaces in JSON only like this.
    return "".join(reader.seen).replace("\xa0", " ")


class _Reader(HTMLParser):
    _UNSEEN: Final = frozenset({"head", "script", "style", "template", "title"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self._hidden_by: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._UNSEEN:
            self._hidden_by.append(tag)
        elif tag in ("br", "div", "p", "td", "tr"):
            self.seen.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden_by:
            del self._hidden_by[self._hidden_by.index(tag) :]

    def handle_data(self, data: str) -> None:
        if not self._hidden_by:
            # The source's own line breaks are spaces to a reader.
            self.seen.append(data.replace("\r", "").replace("\n", " "))


def _objects(text: str) -> list[str]:
    """The JSON objects in a text, in its order. Raises Refused if one stands in broken JSON.

    Of a message with a brace or comma too few only the order inside could be read, without
    what stands around it, which may be that it is a test.
    """
    found: list[str] = []
    place = open_braces = 0
    for _ in range(_MOST_BRACES):
        start = text.find("{", place)
        if start < 0:
            return found
        open_braces = max(0, open_braces - text.count("}", place, start))
        try:
            _, end = _JSON.raw_decode(text, start)
        except (ValueError, RecursionError):
            open_braces += 1
            place = start + 1
            continue
        if open_braces:
            raise Refused("the message in it is not JSON: braces or commas are missing")
        found.append(text[start:end])
        place = end
    raise Refused("it holds too many braces")


def _distinct(objects: list[str]) -> list[str]:
    """Without those that say the same as one before."""
    found: list[tuple[str, object]] = []
    for text in objects:
        try:
            said = decode(text.encode())
        except (InvalidJSON, UnicodeEncodeError):
            raise Refused("the message in it is not JSON that could be read") from None
        if all(said != other for _, other in found):
            found.append((text, said))
    return [text for text, _ in found]
