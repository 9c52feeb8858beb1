"""The mailbox that alerts are read from, as the settings name it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from django.conf import settings

_PORTS: Final = {"imaps": 993, "imap": 143}


class Misconfigured(Exception):
    """The settings name no mailbox that could be read; the text says which, and no secret."""


@dataclass(frozen=True, slots=True)
class Account:
    """A mailbox, and whose mail in it is believed."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str
    is_encrypted: bool
    #: Whose mails are read: an address, in lower case.
    sender: str
    #: The name under which our own mail server writes Authentication-Results; "" where
    #: senders are not checked.
    authserv_id: str
    #: The addresses TradingView mails to, in lower case; empty: any.
    recipients: frozenset[str]
    #: As `may_speak_for` has them.
    strategies: frozenset[str]

    @property
    def sender_domain(self) -> str:
        """The domain that must have signed a mail."""
        return self.sender.rpartition("@")[2]

    def __str__(self) -> str:
        return f"{self.folder} of {self.user} at {self.host}:{self.port}"


def configured_account() -> Account:
    """The mailbox of the settings. Raises Misconfigured."""
    url = _url()
    return Account(
        host=url.hostname or "",
        port=url.port or _PORTS[url.scheme],
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        folder=unquote(url.path.strip("/")) or "INBOX",
        is_encrypted=url.scheme == "imaps",
        sender=_sender(),
        authserv_id=_authserv_id(),
        recipients=_recipients(),
        strategies=_filled(settings.MAILBOX_STRATEGIES),
    )


def _url() -> SplitResult:
    # Nothing of the URL is shown: what cannot be read may hold the password anywhere.
    try:
        url: SplitResult = urlsplit(settings.MAILBOX_URL)
        url.port  # noqa: B018  (reading it checks it)
    except ValueError:
        raise Misconfigured(
            "MAILBOX_URL cannot be read. In user and password write special characters "
            "percent-encoded (%40 for @, %2F for /)."
        ) from None
    if url.scheme not in _PORTS or not (url.hostname and url.username and url.password):
        raise Misconfigured("MAILBOX_URL must be imaps://user:password@host/INBOX.")
    if url.scheme == "imap" and not _is_this_machine(url.hostname):
        raise Misconfigured(
            "MAILBOX_URL with imap:// would send the password unencrypted: use imaps://. "
            "Only a server on this machine may be spoken to without TLS."
        )
    return url


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sender() -> str:
    sender: str = settings.MAILBOX_SENDER.strip().lower()
    name, _, domain = sender.partition("@")
    if not name or "." not in domain:
        raise Misconfigured(f"MAILBOX_SENDER is {sender!r}, which is no mail address.")
    return sender


def _authserv_id() -> str:
    name: str = settings.MAILBOX_AUTHSERV_ID.strip().lower()
    if settings.MAILBOX_CHECK_SENDER and not name:
        raise Misconfigured(
            "MAILBOX_AUTHSERV_ID is not set, so a forged mail could not be told from TradingView's."
        )
    if name and not settings.MAILBOX_CHECK_SENDER:
        raise Misconfigured(
            "MAILBOX_AUTHSERV_ID is set, and MAILBOX_CHECK_SENDER=false: is the sender of a "
            "mail to be checked, or not? Set one of them."
        )
    return name


def _recipients() -> frozenset[str]:
    recipients = _filled(map(str.lower, settings.MAILBOX_RECIPIENTS))
    if settings.MAILBOX_CHECK_SENDER and not recipients:
        raise Misconfigured(
            "MAILBOX_RECIPIENTS is not set: anybody can have TradingView mail them an alert, and "
            "send that mail on, signed as it is. Name the address your alerts are mailed to."
        )
    return recipients


def _filled(texts: object) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, texts)))  # type: ignore[call-overload]
