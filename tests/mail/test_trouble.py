"""The mail server refuses, goes away, comes back; the log or the database is out of reach."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django import Settings

from positions.models import Lot
from tests.commands import in_process
from tests.mail.imap import PASSWORD, USER, MailServer
from tests.mail.mails import AUTHSERV_ID, RECIPIENT, mail
from tests.mail.tls import CERTIFICATE, tls_before
from tests.server import NOWHERE, ROOT, Server, databases_of_this_run
from wal.models import Entry
from webhooks.draining import drain_once
from webhooks.mail.account import Misconfigured, configured_account
from webhooks.models import WebhookLog

Ingest = Callable[..., str]


def reading(mails: MailServer, **environment: str) -> Server:
    """A server that reads the mailbox."""
    defaults = {
        "MAILBOX_URL": mails.url,
        "MAILBOX_AUTHSERV_ID": AUTHSERV_ID,
        "MAILBOX_RECIPIENTS": RECIPIENT,
        "MAILBOX_INTERVAL_SECONDS": "0.2",
        "ANSWER_SECONDS": "20",
    }
    return Server(**(defaults | environment))


def test_the_server_reads_mail_by_itself(databases: None, mails: MailServer) -> None:
    with reading(mails) as server:
        server.post()
        mails.deliver(mail())
        mails.deliver(mail(symbol="OTHER"))
        server.wait_until(lambda: mails.flags() == ["seen", "seen"])
        log = WebhookLog.objects.latest("id")
        assert (log.symbol, log.via_mail) == ("OTHER", True)
        assert f"A webhook was missed: alert {log.pk} came by mail alone" in server.output
        assert WebhookLog.objects.count() == 2
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 10
        assert server.process.returncode == 0, server.output


def test_a_mail_server_that_goes_away_is_found_again(databases: None, mails: MailServer) -> None:
    with reading(mails) as server:
        mails.deliver(mail())
        server.wait_until(lambda: mails.flags() == ["seen"])
        mails.stop()
        server.wait_for_line("The mailbox is out of reach")
        assert server.post(symbol="MEANWHILE")["status"] == "processed"
        mails.start()
        mails.deliver(mail(symbol="OTHER"))
        server.wait_until(lambda: Lot.objects.filter(symbol="OTHER").exists())
        assert "secret" not in server.output
        assert "failed" not in server.output


@pytest.mark.parametrize("step", ["webhooks.mail.ingest:receive", "Mailbox.mark_taken"])
def test_killed_before_the_append_or_before_the_mark(
    ingest: Ingest, mails: MailServer, step: str
) -> None:
    mails.deliver(mail(time=None))
    module, _, name = step.rpartition(":")
    owner = f"import_module({module!r})" if module else "import_module('webhooks.mail.mailbox')"
    ended = subprocess.run(
        [sys.executable, "-c", f"""
import django; django.setup()
from importlib import import_module
from django.core.management import call_command
from tests.crashing import die
{owner}.{name} = die
call_command("ingest_mailbox")
"""],
        cwd=ROOT,
        env={
            **os.environ,
            **databases_of_this_run(),
            "MAILBOX_URL": mails.url,
            "MAILBOX_AUTHSERV_ID": AUTHSERV_ID,
            "MAILBOX_RECIPIENTS": RECIPIENT,
        },
        capture_output=True,
        timeout=30,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    is_appended = step == "Mailbox.mark_taken"
    assert (Entry.objects.count(), mails.flags()) == (int(is_appended), [""])
    assert ("1 known" if is_appended else "1 taken") in ingest()
    assert (Lot.objects.count(), mails.flags()) == (1, ["seen"])


def test_a_log_that_cannot_be_written_leaves_the_mail_unread(
    ingest: Ingest, mails: MailServer
) -> None:
    mails.deliver(mail())
    locking = sqlite3.connect(connections["wal"].settings_dict["NAME"], isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")
    with pytest.raises(CommandError, match="The log cannot be written") as error:
        ingest()
    assert error.value.returncode == 1
    assert mails.flags() == [""]
    locking.close()
    ingest()
    assert Lot.objects.count() == 1


def test_without_the_database_the_order_waits_in_the_log(
    databases: None, mails: MailServer
) -> None:
    with reading(mails, DATABASE_URL=NOWHERE, ANSWER_SECONDS="2.3") as server:
        # Its own webhook is in the log too, so it is not missed.
        assert server.post()["status"] == "queued"
        mails.deliver(mail())
        server.wait_until(lambda: mails.flags() == ["seen"])
    assert Entry.objects.count() == 2
    drain_once()
    assert sorted(Entry.objects.values_list("status", flat=True)) == ["completed", "duplicate"]
    assert Lot.objects.count() == 1
    assert not WebhookLog.objects.get().via_mail


def test_a_refused_log_in_says_why_and_tells_no_secret(
    ingest: Ingest, mails: MailServer, settings: Settings
) -> None:
    settings.MAILBOX_URL = mails.url.replace("4711", "4712")
    with pytest.raises(CommandError, match="the log-in was refused") as error:
        ingest()
    assert "Invalid authentication credentials" in str(error.value)
    assert "secret" not in str(error.value) and "471" not in str(error.value)


def test_a_password_need_not_be_ascii(
    ingest: Ingest, mails: MailServer, settings: Settings
) -> None:
    with MailServer("Schlüssel-4711") as theirs:
        settings.MAILBOX_URL = theirs.url
        theirs.deliver(mail())
        ingest()
        assert Lot.objects.count() == 1
        settings.MAILBOX_URL = theirs.url.replace("4711", "4712")
        with pytest.raises(CommandError, match="the log-in was refused") as error:
            ingest()
    assert "Schl" not in str(error.value) and "471" not in str(error.value)


@contextmanager
def telling_server() -> Iterator[int]:
    """A mail server that says again what it was told, wherever it can."""

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as lines:
            lines.write(b"* OK hello\r\n")
            lines.flush()
            for line in lines:
                tag, command, *_ = line.split()
                if command == b"CAPABILITY":
                    lines.write(b"* CAPABILITY IMAP4rev1\r\n%s OK done\r\n" % tag)
                elif command == b"AUTHENTICATE":
                    lines.write(b"+ \r\n")
                    lines.flush()
                    lines.write(b"%s NO I do not know %s\r\n" % (tag, lines.readline().strip()))
                else:
                    lines.write(b"%s NO I do not know %s\r\n" % (tag, line.strip()))
                lines.flush()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: serve(listener.accept()[0]), daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("password", [PASSWORD, "Schlüssel-4711"])
def test_a_server_that_tells_the_password_is_not_repeated(
    ingest: Ingest, settings: Settings, password: str
) -> None:
    with telling_server() as port:
        settings.MAILBOX_URL = f"imap://{USER}:{quote(password, safe='')}@127.0.0.1:{port}/INBOX"
        with pytest.raises(CommandError, match="I do not know") as error:
            ingest()
    said = str(error.value)
    assert "***" in said
    assert "secret" not in said and "4711" not in said
    assert b64encode(f"\0{USER}\0{password}".encode()).decode() not in said


def test_a_folder_that_is_not_there(ingest: Ingest, mails: MailServer, settings: Settings) -> None:
    settings.MAILBOX_URL = mails.url.replace("INBOX", "Elsewhere")
    with pytest.raises(CommandError, match="Elsewhere of trader at"):
        ingest()


def test_tls_is_spoken_to_servers_that_are_who_they_say(
    ingest: Ingest, mails: MailServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails.deliver(mail())
    with tls_before(mails.port) as port:
        here = mails.url.replace("imap:", "imaps:").replace(str(mails.port), str(port))
        settings.MAILBOX_URL = here.replace("127.0.0.1", "localhost")
        with pytest.raises(CommandError, match="CERTIFICATE_VERIFY_FAILED"):
            ingest()
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        ingest()
        assert Lot.objects.count() == 1
        settings.MAILBOX_URL = here
        with pytest.raises(CommandError, match="CERTIFICATE_VERIFY_FAILED"):
            ingest()


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("MAILBOX_URL", "", "MAILBOX_URL must be"),
        ("MAILBOX_URL", "imaps://user@host", "MAILBOX_URL must be"),
        ("MAILBOX_URL", "pop3://user:secret@host", "MAILBOX_URL must be"),
        ("MAILBOX_URL", "imaps://user:sec/ret@host/INBOX", "cannot be read"),
        ("MAILBOX_URL", "imaps://user:secret@host:port", "cannot be read"),
        ("MAILBOX_URL", "imap://user:secret@mail.example", "unencrypted"),
        ("MAILBOX_AUTHSERV_ID", "", "MAILBOX_AUTHSERV_ID is not set"),
        ("MAILBOX_CHECK_SENDER", False, "to be checked, or not"),
        ("MAILBOX_RECIPIENTS", [], "MAILBOX_RECIPIENTS is not set"),
        ("MAILBOX_SENDER", "tradingview", "MAILBOX_SENDER"),
    ],
)
def test_half_a_mailbox_is_a_usage_error(
    mails: MailServer, settings: Settings, setting: str, value: Any, told: str
) -> None:
    setattr(settings, setting, value)
    with pytest.raises(CommandError) as error:
        call_command("ingest_mailbox")
    assert error.value.returncode == 2
    assert told in str(error.value)
    assert "sec" not in str(error.value).replace("secure", "")


def test_an_account_is_read_from_its_url(mails: MailServer, settings: Settings) -> None:
    account = configured_account()
    assert (account.user, account.password, account.folder) == (USER, PASSWORD, "INBOX")
    assert "secret" not in repr(account) + str(account)
    settings.MAILBOX_URL = "imaps://a%40b.io:c@mail.example/Alerts/TradingView"
    account = configured_account()
    assert (account.user, account.port, account.folder) == ("a@b.io", 993, "Alerts/TradingView")
    settings.MAILBOX_URL = "imaps://a:b@mail.example"
    assert configured_account().folder == "INBOX"
    settings.MAILBOX_URL = ""
    with pytest.raises(Misconfigured):
        configured_account()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--limit", "0"], "argument --limit: '0' is no number of mails from 1 up"),
        (["--limit=x"], "argument --limit: 'x' is no number of mails from 1 up"),
        (["--follow", "--dry-run"], "--follow goes with neither --dry-run nor --limit."),
        (["--follow", "--limit=1"], "--follow goes with neither --dry-run nor --limit."),
    ],
)
def test_bad_arguments(databases: None, arguments: list[str], told: str) -> None:
    ended = in_process("ingest_mailbox", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
