"""A mailbox with very many mails that wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pytest_django import Settings

from tests.mail.between import between
from tests.mail.imap import MailServer
from tests.mail.mails import mail
from webhooks.mail.account import configured_account
from webhooks.mail.mailbox import Mailbox


def at_long_lines(line: bytes) -> bytes:
    """What a server says that takes no longer lines."""
    return b"* BYE Too long a command\r\n" if len(line) > 600 else b""


def test_its_mails_are_asked_about_in_parts(mails: MailServer, settings: Settings) -> None:
    for number in range(250):
        mails.deliver(mail("{}"), ago=1000 - number)
    with between(mails.port, at_long_lines) as port:
        settings.MAILBOX_URL = mails.url.replace(str(mails.port), str(port))
        with Mailbox(configured_account()) as mailbox:
            waiting = mailbox.waiting((datetime.now(UTC) - timedelta(days=2)).date())
    assert len(waiting) == 250
    assert waiting == sorted(waiting, key=lambda each: each.arrived_at)
