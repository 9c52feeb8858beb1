"""A mailbox with very many mails that wait."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from pytest_django import Settings

from tests.mail.imap import MailServer
from tests.mail.mails import mail
from webhooks.mail.account import configured_account
from webhooks.mail.mailbox import Mailbox


@contextmanager
def short_lines_before(port: int, *, most: int) -> Iterator[int]:
    """The mail server at this port, on another one, as a server that takes no longer lines."""

    def serve(client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", port)) as server:
            answering = threading.Thread(target=answer, args=(server, client), daemon=True)
            answering.start()
            for line in client.makefile("rb"):
                if len(line) > most:
                    client.sendall(b"* BYE Too long a command\r\n")
                    break
                server.sendall(line)
            server.shutdown(socket.SHUT_RDWR)
            answering.join()

    def answer(server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while told := server.recv(65536):
                client.sendall(told)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: serve(listener.accept()[0]), daemon=True).start()
        yield listener.getsockname()[1]


def test_its_mails_are_asked_about_in_parts(mails: MailServer, settings: Settings) -> None:
    for number in range(250):
        mails.deliver(mail("{}"), ago=1000 - number)
    with short_lines_before(mails.port, most=600) as port:
        settings.MAILBOX_URL = mails.url.replace(str(mails.port), str(port))
        with Mailbox(configured_account()) as mailbox:
            waiting = mailbox.waiting((datetime.now(UTC) - timedelta(days=2)).date())
    assert len(waiting) == 250
    assert waiting == sorted(waiting, key=lambda each: each.arrived_at)
