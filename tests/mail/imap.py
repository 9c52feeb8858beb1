"""A real IMAP server in a process of its own, on a port of this machine."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from types import TracebackType
from urllib.parse import quote

from imapclient import IMAPClient

from benchmarks.ports import free_port

USER = "trader"
#: With what must be escaped in a URL, and in IMAP.
PASSWORD = 'secret-@/:%"\\-4711'


class MailServer:
    """`with MailServer() as mails: mails.deliver(mail())`. What it holds is gone when it stops."""

    def __init__(self, password: str = PASSWORD) -> None:
        self.password = password
        self.port = free_port()
        self._client: IMAPClient | None = None
        self.process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"imap://{USER}:{quote(self.password, safe='')}@127.0.0.1:{self.port}/INBOX"

    def __enter__(self) -> MailServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from pymap.main import main; main()", "--no-tls",
             "--host", "127.0.0.1", "--port", str(self.port),
             "dict", "--demo-user", USER, "--demo-password", self.password]
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline
                time.sleep(0.02)

    def stop(self) -> None:
        if self._client is not None:
            self._client.shutdown()
            self._client = None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @property
    def _inbox(self) -> IMAPClient:
        if self._client is None:
            self._client = IMAPClient("127.0.0.1", port=self.port, ssl=False, timeout=10)
            self._client.plain_login(USER, self.password)
            self._client.select_folder("INBOX")
        return self._client

    def deliver(self, raw: bytes, *, ago: float = 60) -> None:
        """Put a mail there that arrived so many seconds ago."""
        arrived = datetime.now(UTC) - timedelta(seconds=ago)
        self._inbox.append("INBOX", raw, msg_time=arrived)

    def flags(self) -> list[str]:
        """Of each mail, in the order they were delivered: what it is marked with."""
        self._inbox.noop()
        uids = self._inbox.search("ALL")
        told = self._inbox.get_flags(uids) if uids else {}
        shown = {b"\\Seen": "seen", b"\\Flagged": "flagged"}
        return [
            " ".join(shown[flag] for flag in sorted(told[uid]) if flag in shown)
            for uid in sorted(told)
        ]

    def uids(self) -> list[int]:
        """The mails' numbers on the server, in the order they were delivered."""
        self._inbox.noop()
        return sorted(self._inbox.search("ALL"))

    def empty(self) -> None:
        if uids := self._inbox.search("ALL"):
            self._inbox.delete_messages(uids)
            self._inbox.expunge()
