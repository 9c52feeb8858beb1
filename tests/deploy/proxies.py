"""The examples in deploy/ for a proxy with TLS, run by the proxy that is installed.

Changed in them is only what must be on a test's machine: ports, the address listened on,
certificates, and where log files go.
"""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from types import TracebackType

import pytest

from benchmarks.ports import free_port
from tests.server import ROOT

NAME = "trades.example.com"
#: Where the examples expect tradelog.
UPSTREAM = "127.0.0.1:8000"

_NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/tradelog.conf;
}}
"""


class Proxy(ABC):
    """A proxy in front of a server's port, for as long as the `with` lasts."""

    program: str
    example: Path

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        #: Of tradelog.
        self.port = port
        self.http, self.https = free_port(), free_port()
        self.process: subprocess.Popen[bytes]

    @classmethod
    def installed(cls) -> str:
        """The program's path; skips the test where there is none."""
        # Debian has nginx where a user's PATH does not lead.
        program = shutil.which(cls.program) or shutil.which(cls.program, path="/usr/sbin")
        if program is None:
            pytest.skip(f"no {cls.program} is installed")
        return program

    @abstractmethod
    def command(self) -> list[str]:
        """Write its configuration; the command that runs it."""

    @property
    def logs(self) -> str:
        """Everything it has written about requests so far."""
        files = [*self.folder.glob("*.log"), self.folder / "output"]
        return "\n".join(file.read_text() for file in files)

    def __enter__(self) -> Proxy:
        command = self.command()
        with open(self.folder / "output", "w") as output:
            environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)}
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=output, stderr=output
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.logs
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)

    def _answers(self) -> bool:
        connection = self.connection("https")
        try:
            connection.request("GET", "/health/live", headers={"Host": NAME})
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def connection(self, scheme: str, *, source: str = "127.0.0.1") -> HTTPConnection:
        """From one of this machine's own addresses, as if it were a client's."""
        if scheme == "http":
            return HTTPConnection("127.0.0.1", self.http, timeout=20, source_address=(source, 0))
        return _ByName("127.0.0.1", self.https, timeout=20, source_address=(source, 0))


class Nginx(Proxy):
    program = "nginx"
    example = ROOT / "deploy" / "nginx" / "tradelog.conf"

    def command(self) -> list[str]:
        certificate(self.folder)
        text = self.example.read_text()
        # TradingView sends over IPv4, and a test's machine may have nothing else.
        text = re.sub(r"(?m)^ *listen \[::\].*\n", "", text)
        text = text.replace("listen 80 ", f"listen 127.0.0.1:{self.http} ")
        text = text.replace("listen 443 ", f"listen 127.0.0.1:{self.https} ")
        text = text.replace(f"/etc/letsencrypt/live/{NAME}", str(self.folder))
        text = text.replace("/var/log/nginx", str(self.folder))
        text = text.replace(UPSTREAM, f"127.0.0.1:{self.port}")
        (self.folder / "tradelog.conf").write_text(text)
        # Started by root it would else go on as a user to whom the folder is closed.
        user = "user root;" if self.folder.stat().st_uid == 0 else ""
        (self.folder / "nginx.conf").write_text(_NGINX.format(folder=self.folder, user=user))
        return [self.installed(), "-c", str(self.folder / "nginx.conf"), "-e", "error.log"]


class Caddy(Proxy):
    program = "caddy"
    example = ROOT / "deploy" / "caddy" / "Caddyfile"

    def command(self) -> list[str]:
        program = self.installed()
        options = f"""{{
            admin off
            http_port {self.http}
            https_port {self.https}
            default_bind 127.0.0.1
            local_certs
            skip_install_trust
            storage file_system {self.folder}/storage
        """
        text = self.example.read_text().replace("{\n", options, 1)
        text = text.replace(UPSTREAM, f"127.0.0.1:{self.port}")
        told = subprocess.run([program, "version"], capture_output=True, text=True).stdout
        found = re.search(r"(\d+)\.(\d+)", told)
        assert found, told
        if tuple(map(int, found.groups())) < (2, 7):
            # As docs/deployment.md says to.
            text = re.sub(r"request_buffers (\S+)", r"buffer_requests\nmax_buffer_size \1", text)
        (self.folder / "Caddyfile").write_text(text)
        return [program, "run", "--adapter", "caddyfile", "--config", "Caddyfile"]


class _ByName(HTTPSConnection):
    """Asks for the server by its name wherever it listens, as browsers and TradingView do."""

    def connect(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
        self.sock = context.wrap_socket(
            socket.create_connection(
                (self.host, self.port),
                self.timeout,
                self.source_address,  # type: ignore[attr-defined]
            ),
            server_hostname=NAME,
        )


def certificate(folder: Path) -> None:
    """Make a self-signed one, as fullchain.pem and privkey.pem."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl is installed to make a certificate with")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-keyout", "privkey.pem", "-out", "fullchain.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
