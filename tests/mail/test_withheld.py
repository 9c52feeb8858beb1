"""A mail that its server cannot hand out, and the mails behind it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from pytest_django import Settings

from tests.mail.imap import MailServer
from tests.mail.mails import mail
from webhooks.models import WebhookLog


@contextmanager
def withholding(port: int, uid: int) -> Iterator[int]:
    """The mail server at this port, on another one, as one that cannot read one of its mails."""
    asked = re.compile(rb"(\S+) UID FETCH %d \(.*(?:BODY|RFC822)" % uid)

    def serve(client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", port)) as server:
            answering = threading.Thread(target=answer, args=(server, client), daemon=True)
            answering.start()
            for line in client.makefile("rb"):
                if found := asked.match(line):
                    client.sendall(found[1] + b" NO [SERVERBUG] The message could not be read\r\n")
                else:
                    server.sendall(line)
            server.shutdown(socket.SHUT_RDWR)
            answering.join()

    def answer(server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while told := server.recv(65536):
                client.sendall(told)

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                serve(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def test_it_keeps_no_other_from_being_read(
    mails: MailServer,
    ingest: Callable[..., str],
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    mails.deliver(mail(symbol="FIRST"), ago=90)
    mails.deliver(mail(symbol="SECOND"), ago=80)
    first, _ = mails.uids()
    own = settings.MAILBOX_URL
    with withholding(mails.port, first) as port:
        settings.MAILBOX_URL = own.replace(str(mails.port), str(port))
        said = ingest(exits=1)
    assert f"mail {first} of " in said
    assert "withheld: fetch failed" in said
    assert "[SERVERBUG] The message could not be read" in caplog.text
    assert [log.symbol for log in WebhookLog.objects.all()] == ["SECOND"]
    # Not flagged: the trouble may pass.
    assert mails.flags() == ["", "seen"]
    settings.MAILBOX_URL = own
    assert "1 taken" in ingest()
    assert mails.flags() == ["seen", "seen"]
