from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import Settings

from tests.mail.imap import MailServer
from tests.mail.mails import AUTHSERV_ID, RECIPIENT


@pytest.fixture(scope="module")
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def mails(mail_server: MailServer, settings: Settings) -> MailServer:
    """An empty mailbox, and settings that name it."""
    mail_server.empty()
    settings.MAILBOX_URL = mail_server.url
    settings.MAILBOX_AUTHSERV_ID = AUTHSERV_ID
    settings.MAILBOX_RECIPIENTS = [RECIPIENT]
    return mail_server


@pytest.fixture
def ingest(databases: None, mails: MailServer) -> Callable[..., str]:
    """Run `manage.py ingest_mailbox`; what it says."""

    def run(*arguments: str, exits: int = 0) -> str:
        output = StringIO()
        try:
            call_command("ingest_mailbox", *arguments, stdout=output)
        except SystemExit as end:
            assert end.code == exits, output.getvalue()
        else:
            assert exits == 0, output.getvalue()
        return output.getvalue()

    return run
