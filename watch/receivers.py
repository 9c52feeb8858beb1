"""Who is told: the services that ALERT_URLS names, reached by Apprise.

Apprise URLs hold passwords. Nothing here tells one: a receiver is called by its kind and its
place in the setting, and is known in the tables by a keyed hash.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.utils.crypto import salted_hmac

if TYPE_CHECKING:
    from apprise import NotifyBase

#: URLs may hold commas themselves (mailto://…?to=one,other), so one is a comma before a URL.
_BETWEEN: Final = re.compile(r"[\s,]+(?=[a-zA-Z0-9]+://)")

_HTTP_STATUS: Final = re.compile(r"error=(\d{3})\b")
#: What a service answers where it is the message that is wrong.
_ABOUT_THE_MESSAGE: Final = frozenset({"400", "413", "422"})


@dataclass(frozen=True, slots=True)
class Receiver:
    """One entry of ALERT_URLS that can be read."""

    #: From 1 on.
    place: int
    #: As Apprise calls the service: mailto, tgram, discord.
    kind: str
    #: The same as long as its URL is.
    key: str
    url: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.kind}, entry {self.place} of ALERT_URLS"


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody is told; plain text."""

    title: str
    body: str


class MessageRefused(str):
    """Why a service that could be reached took no message: the next one it may well take."""


def receivers() -> list[Receiver]:
    """Those that can be read, each once."""
    found: dict[str, Receiver] = {}
    for place, url in enumerate(_urls(), 1):
        if (kind := _kind(url)) is not None:
            key = salted_hmac("watch.receivers", url).hexdigest()[:16]
            found.setdefault(key, Receiver(place, kind, key, url))
    return list(found.values())


def unreadable() -> list[int]:
    """The places in ALERT_URLS, from 1 on, of what is no URL of a service Apprise knows."""
    return [place for place, url in enumerate(_urls(), 1) if _service(url) is None]


def send(receiver: Receiver, message: Message) -> str:
    """Tell somebody something: "" once the service has taken it, else why not.

    What is returned holds no address and no password. Raises nothing.
    """
    from apprise import LogCapture

    try:
        service = _service(receiver.url)
        if service is None:
            return "its URL cannot be read"
        # What Apprise has to say may hold the URL; only the status is taken from it.
        with LogCapture(level=logging.WARNING) as said:  # type: ignore[no-untyped-call]
            if service.notify(**_as_it_takes_it(service, message)):
                return ""
            status = _HTTP_STATUS.search(said.getvalue())
    except Exception as error:
        return f"it failed ({type(error).__name__})"
    if status is None:
        return "it could not be reached, or refused"
    trouble = f"it answered {status[1]}"
    return MessageRefused(trouble) if status[1] in _ABOUT_THE_MESSAGE else trouble


def _as_it_takes_it(service: NotifyBase, message: Message) -> dict[str, str]:
    """A message in the format that a service sends in, as plain as it was.

    Told of plain text, Apprise leaves the tags in it as they are for Telegram, which takes them
    for its own: of a strategy `<b>` the name would be gone, and `<a href=…>` a link.
    """
    from apprise import NotifyFormat
    from apprise.conversion import convert_between

    taken = service.resolve_format(NotifyFormat.TEXT)

    def plain(text: str) -> str:
        return str(convert_between(NotifyFormat.TEXT, taken, text))  # type: ignore[no-untyped-call]

    # A title is of the body where a service has none.
    title = message.title if service.title_maxlen > 0 else plain(message.title)
    return {"body": plain(message.body), "title": title, "body_format": taken}


def _urls() -> Iterator[str]:
    return filter(None, map(str.strip, _BETWEEN.split(settings.ALERT_URLS)))


def _kind(url: str) -> str | None:
    """The service's name in a URL, where there is one by that name."""
    return url.partition("://")[0].lower() if _service(url) is not None else None


def _service(url: str) -> NotifyBase | None:
    # Only who sends has to load it.
    from apprise import Apprise, AppriseAsset, NotifyBase
    from apprise.common import OverflowMode

    asset = AppriseAsset(app_id="tradelog", app_desc="tradelog", app_url="")
    try:
        service = Apprise.instantiate(url.rstrip(","), asset=asset)
    except Exception:
        return None  # What it says could hold the URL.
    if not isinstance(service, NotifyBase):
        return None
    if "overflow=" not in url:
        # By itself Apprise sends what is too long for a service, which then takes none of it.
        service.overflow_mode = OverflowMode.SPLIT
    return service
