"""The mailbox itself: an IMAP server (RFC 3501), by IMAPClient.

IMAPClient because it is kept up and gives what the server said as values (sizes, aware
times), where the standard library's imaplib gives lines of the protocol.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Self
from urllib.parse import quote

from imapclient import FLAGGED, SEEN, IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from webhooks.mail.account import Account

#: Seconds to wait for the server's next word.
_PATIENCE: Final = 20.0

#: Mails asked about in one command: servers need not take lines of more than 8,000 bytes
#: (RFC 2683, 3.2.1.5).
_TOGETHER: Final = 100


#: Mails in a row at which a server may hang up before it counts as out of reach.
_MOST_CUT_OFF: Final = 5


class MailboxUnavailable(Exception):
    """The mailbox cannot be read now; the text says why, without the password."""


class Withheld(Exception):
    """The server answers, and does not hand out this mail; the text says why, as above."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail that nobody has dealt with yet."""

    uid: int
    #: When it came to the mailbox, UTC.
    arrived_at: datetime


class Mailbox:
    """An open mailbox; `with` closes it. What raises MailboxUnavailable has to be opened anew."""

    def __init__(self, account: Account) -> None:
        """Log in and open the folder. Raises MailboxUnavailable."""
        self._account = account
        self._cut_off = 0
        self._open()

    def _open(self) -> None:
        account = self._account
        with _trouble(account):
            self._client = IMAPClient(
                account.host,
                port=account.port,
                ssl=account.is_encrypted,
                ssl_context=ssl.create_default_context() if account.is_encrypted else None,
                timeout=_PATIENCE,
            )
        # Else its times would be without a zone.
        self._client.normalise_times = False
        try:
            with _trouble(account):
                self._log_in(account)
                #: While it is the same, a uid is the same mail.
                self._validity = self._client.select_folder(account.folder).get(b"UIDVALIDITY")
        except MailboxUnavailable:
            self._close()
            raise

    def _log_in(self, account: Account) -> None:
        # LOGIN knows ASCII alone; not every server takes AUTHENTICATE PLAIN instead.
        is_ascii = (account.user + account.password).isascii()
        log_in = self._client.login if is_ascii else self._client.plain_login
        log_in(account.user, account.password)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def _close(self) -> None:
        # Where it does not hear us any more there is nothing to say good-bye to.
        with suppress(IMAPClientError, OSError):
            self._client.logout()
        self._hang_up()

    def _hang_up(self) -> None:
        with suppress(IMAPClientError, OSError):
            self._client.shutdown()

    def waiting(self, since: date) -> list[Waiting]:
        """The sender's mails that are neither read nor flagged, in the order they came."""
        with _trouble(self._account):
            self._client.noop()
            uids = self._client.search(
                ["UNSEEN", "UNFLAGGED", "UNDELETED", "FROM", self._account.sender, "SINCE", since]
            )
            parts = (uids[first : first + _TOGETHER] for first in range(0, len(uids), _TOGETHER))
            # No more than this: a mail that the server cannot read any more has a date still.
            found = [
                Waiting(uid, about[b"INTERNALDATE"].astimezone(UTC))
                for part in parts
                for uid, about in self._client.fetch(part, ["INTERNALDATE"]).items()
                if b"INTERNALDATE" in about
            ]
        return sorted(found, key=lambda mail: (mail.arrived_at, mail.uid))

    def read(self, uid: int, most: int) -> bytes | None:
        """The mail's first bytes, so many at most; it stays unread. None where it is gone.

        Raises Withheld where the server says no to this one, or hangs up at it and can be
        reached again: the others can be read.
        """
        try:
            with _trouble(self._account):
                found = self._fetched(uid, most)
        except MailboxUnavailable as error:
            self._open_anew(error)
            raise Withheld(f"the connection ended when it was asked for ({error})") from None
        self._cut_off = 0
        # With where it begins behind the name, and not every server says so.
        return next((held for name, held in found.items() if name.startswith(b"BODY[]")), None)

    def _fetched(self, uid: int, most: int) -> dict[bytes, Any]:
        try:
            found: dict[bytes, Any] = self._client.fetch([uid], [f"BODY.PEEK[]<0.{most}>"]).get(
                uid, {}
            )
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            raise Withheld(_said(self._account, error)) from None
        return found

    def _open_anew(self, error: MailboxUnavailable) -> None:
        """Raises the error where this is no trouble with one mail."""
        self._cut_off += 1
        if self._cut_off > _MOST_CUT_OFF:
            raise error
        self._hang_up()
        validity = self._validity
        self._open()
        if self._validity != validity:
            raise error

    def mark_taken(self, uid: int) -> None:
        """Mark a mail as read: its order is in the log."""
        self._mark(uid, SEEN)

    def mark_refused(self, uid: int) -> None:
        """Flag a mail for somebody to look at; without the flag it is tried again."""
        self._mark(uid, FLAGGED)

    def _mark(self, uid: int, flag: bytes) -> None:
        with _trouble(self._account):
            self._client.add_flags([uid], [flag], silent=True)


@contextmanager
def _trouble(account: Account) -> Iterator[None]:
    try:
        yield
    except LoginError as error:
        raise MailboxUnavailable(_told(account, "the log-in was refused", error)) from None
    except (IMAPClientError, OSError) as error:
        # Without its cause: a server may say again what it was told.
        raise MailboxUnavailable(_told(account, "no answer as expected", error)) from None


def _told(account: Account, what: str, error: BaseException) -> str:
    return f"{account}: {what}: {_said(account, error)}"


def _said(account: Account, error: BaseException) -> str:
    """What a server said, without the password."""
    # Servers are quoted as b'...' by the library.
    said = str(error).removeprefix("b'").removesuffix("'") or type(error).__name__
    # As it is, as in the URL, and as in the protocol (RFC 3501 quoted, RFC 4616).
    escaped = account.password.replace("\\", "\\\\").replace('"', '\\"')
    plain = b64encode(f"\0{account.user}\0{account.password}".encode()).decode()
    for secret in (plain, escaped, account.password, quote(account.password, safe="")):
        said = said.replace(secret, "***").replace(repr(secret)[1:-1], "***")
    return said
