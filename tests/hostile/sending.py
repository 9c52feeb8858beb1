"""A request as bytes, sent to a real server on a real socket, and what is heard of it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from urllib.parse import unquote_to_bytes

#: Stands in for the server's token until a request is sent.
TOKEN_HERE = b"TOKEN-GOES-HERE"
WITH_TOKEN = b"/webhook/" + TOKEN_HERE + b"/"

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Hostile:
    """One request, as bytes."""

    body: bytes = b""
    method: bytes = b"POST"
    path: bytes = WITH_TOKEN
    headers: tuple[Header, ...] = ()
    #: The bytes of each chunk, where it is sent in chunks; else its length is told.
    chunks: tuple[int, ...] = ()
    #: No HTTP as the server knows it: it may hang up, or refuse it in a few words.
    is_broken: bool = False
    #: Sent instead of all the rest.
    raw: bytes = field(default=b"", repr=False)

    def as_sent(self, token: str) -> bytes:
        if self.raw:
            return self.raw.replace(TOKEN_HERE, token.encode())
        lines = [self.method + b" " + self.path + b" HTTP/1.1"]
        if not any(name.lower() == b"host" for name, _ in self.headers):
            lines.append(b"Host: localhost")
        lines += [name + b": " + value for name, value in self.headers]
        body = self.body
        if self.chunks:
            lines.append(b"Transfer-Encoding: chunked")
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in self._parts())
            body += b"0\r\n\r\n"
        else:
            lines.append(b"Content-Length: %d" % len(body.replace(TOKEN_HERE, token.encode())))
        return (b"\r\n".join(lines) + b"\r\n\r\n" + body).replace(TOKEN_HERE, token.encode())

    def _parts(self) -> Iterable[bytes]:
        rest = self.body.replace(TOKEN_HERE, b"")
        for size in self.chunks:
            if rest:
                yield rest[:size]
                rest = rest[size:]
        if rest:
            yield rest

    @property
    def is_for_alerts(self) -> bool:
        path = unquote_to_bytes(self.path.partition(b"?")[0])
        return path == b"/webhook" or path.startswith(b"/webhook/")


@dataclass(frozen=True)
class Heard:
    """What came back; status 0: nothing, the connection was closed."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Sender:
    """Sends requests one after the other, on one connection as long as it lasts."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token
        self._socket: socket.socket | None = None

    def send(self, request: Hostile) -> Heard:
        was_open = self._socket is not None
        heard = self._try(request)
        # The server may have closed an idle or a refused connection, and we heard of it now.
        return self._try(request) if heard.status == 0 and was_open else heard

    def _try(self, request: Hostile) -> Heard:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        with suppress(OSError):  # Refused before it was all said; the answer may be there.
            self._socket.sendall(request.as_sent(self._token))
            if request.is_broken:
                self._socket.shutdown(socket.SHUT_WR)
        response = HTTPResponse(self._socket, method=request.method.decode("latin-1").upper())
        try:
            response.begin()
            heard = Heard(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
            if response.will_close or request.is_broken or heard.status == 413:
                self.close()
            return heard
        except (HTTPException, OSError):
            self.close()
            return Heard(0)
        finally:
            response.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
