"""`manage.py ingest_mailbox --follow`, as a service manager stops it."""

from __future__ import annotations

import os
import subprocess
import sys

from positions.models import Lot
from tests.mail.imap import MailServer
from tests.mail.mails import AUTHSERV_ID, RECIPIENT, mail
from tests.processes import eventually
from tests.server import ROOT, databases_of_this_run


def test_told_to_stop_it_ends_well(databases: None, mails: MailServer) -> None:
    mails.deliver(mail())
    with subprocess.Popen(
        [sys.executable, "manage.py", "ingest_mailbox", "--follow"],
        cwd=ROOT,
        env={
            **os.environ,
            **databases_of_this_run(),
            "MAILBOX_URL": mails.url,
            "MAILBOX_AUTHSERV_ID": AUTHSERV_ID,
            "MAILBOX_RECIPIENTS": RECIPIENT,
        },
    ) as following:
        try:
            eventually(lambda: mails.flags() == ["seen"])
            following.terminate()
            assert following.wait(30) == 0
        finally:
            following.kill()
    assert Lot.objects.count() == 1
