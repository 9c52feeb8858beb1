"""A mail that its server cannot hand out, and the mails behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError
from pytest_django import Settings

from tests.mail.between import between
from tests.mail.imap import MailServer
from tests.mail.mails import mail
from wal.models import Entry
from webhooks.mail.mailbox import Mailbox, Waiting
from webhooks.models import WebhookLog


@contextmanager
def withholding(port: int, uids: str, *, hangs_up: bool) -> Iterator[tuple[int, list[bytes]]]:
    """The mail server at this port, on another one, as one that cannot read some of its mails.

    Yields the port, and what is said to the server.
    """
    asked = re.compile(rb"(\S+) UID FETCH (?:%s) \(.*(?:BODY|RFC822)" % uids.encode())
    lines: list[bytes] = []

    def answer(line: bytes) -> bytes:
        lines.append(line)
        if not (found := asked.match(line)):
            return b""
        said = b"[SERVERBUG] The message could not be read\r\n"
        return b"* BYE " + said if hangs_up else found[1] + b" NO " + said

    with between(port, answer) as itself:
        yield itself, lines


@pytest.mark.parametrize("hangs_up", [False, True])
def test_it_keeps_no_other_from_being_read(
    mails: MailServer,
    ingest: Callable[..., str],
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    hangs_up: bool,
) -> None:
    mails.deliver(mail(symbol="FIRST"), ago=90)
    mails.deliver(mail(symbol="SECOND"), ago=80)
    first, _ = mails.uids()
    own = settings.MAILBOX_URL
    with withholding(mails.port, str(first), hangs_up=hangs_up) as (port, _):
        settings.MAILBOX_URL = own.replace(str(mails.port), str(port))
        said = ingest(exits=1)
    assert f"mail {first} of " in said
    assert ("withheld: the connection ended" if hangs_up else "withheld: fetch failed") in said
    assert "[SERVERBUG] The message could not be read" in caplog.text
    assert [log.symbol for log in WebhookLog.objects.all()] == ["SECOND"]
    # Not flagged: the trouble may pass.
    assert mails.flags() == ["", "seen"]
    settings.MAILBOX_URL = own
    assert "1 taken" in ingest()
    assert mails.flags() == ["seen", "seen"]


def test_a_server_that_hangs_up_at_every_mail_is_out_of_reach(
    mails: MailServer, ingest: Callable[..., str], settings: Settings
) -> None:
    for _ in range(9):
        mails.deliver(mail())
    with withholding(mails.port, "[0-9]+", hangs_up=True) as (port, lines):
        settings.MAILBOX_URL = settings.MAILBOX_URL.replace(str(mails.port), str(port))
        with pytest.raises(CommandError, match="The message could not be read"):
            ingest()
    assert sum(b" SELECT " in line for line in lines) == 6
    assert mails.flags() == [""] * 9


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_server_that_goes_away_meanwhile_is_out_of_reach(
    mails: MailServer,
    ingest: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    comes_back: bool,
) -> None:
    """And where it comes back with another mailbox, its mails' numbers mean others."""
    mails.deliver(mail(symbol="FIRST"))
    waiting = Mailbox.waiting

    def waiting_and_then(*given: Any) -> list[Waiting]:
        found = waiting(*given)
        mails.stop()
        if comes_back:
            mails.start()
        return found

    monkeypatch.setattr(Mailbox, "waiting", waiting_and_then)
    try:
        with pytest.raises(CommandError, match="no answer as expected"):
            ingest()
    finally:
        if not comes_back:
            mails.start()
    assert not Entry.objects.exists()
