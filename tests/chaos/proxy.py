"""A TCP proxy in front of PostgreSQL: far away, and its connections cut, stalled, half-heard."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from pathlib import Path

#: SO_LINGER on, 0 seconds: closing sends a reset, as a cut line does sooner or later.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on a free loopback port, and passes on to PostgreSQL's Unix socket."""

    def __init__(self, upstream: Path, *, delay: float = 0.0) -> None:
        self._upstream = upstream
        #: Seconds that what is sent takes longer, in each direction.
        self._delay = delay
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._loop: asyncio.AbstractEventLoop
        self._open: set[asyncio.StreamWriter] = set()
        #: Set while bytes pass, in each direction.
        self._requests_pass = asyncio.Event()
        self._answers_pass = asyncio.Event()
        self._held_bytes = 0
        self._requests_pass.set()
        self._answers_pass.set()
        self._closing = asyncio.Event()
        is_running = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(is_running)), name="proxy"
        )
        self._thread.start()
        is_running.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def cut(self) -> int:
        """Cut all connections at once; tell how many there were."""
        return self._ask(self._cut)

    def stall(self, *, requests: bool) -> None:
        """Let no answers pass until `resume`, and no requests either if those are stalled."""
        self._ask(lambda: self._stall(requests))

    def lose(self) -> None:
        """Let the connections there are hear nothing any more, nor be heard; new ones pass."""
        self._ask(self._lose)

    def resume(self) -> int:
        """Let everything pass again; tell how many bytes were held back."""
        return self._ask(self._resume)

    def _ask(self, action: object) -> int:
        async def do() -> int:
            return int(action() or 0)  # type: ignore[operator]

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result(timeout=10)

    def _cut(self) -> int:
        count = len(self._open) // 2  # Each connection has two ends.
        for writer in self._open:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        return count

    def _stall(self, requests: bool) -> None:
        self._held_bytes = 0
        self._answers_pass.clear()
        if requests:
            self._requests_pass.clear()

    def _lose(self) -> None:
        self._stall(requests=True)
        self._requests_pass, self._answers_pass = asyncio.Event(), asyncio.Event()
        self._resume()

    def _resume(self) -> int:
        self._answers_pass.set()
        self._requests_pass.set()
        return self._held_bytes

    async def _run(self, is_running: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, sock=self._listener)
        is_running.set()
        await self._closing.wait()
        server.close()
        self._cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_unix_connection(str(self._upstream))
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, up_writer}
        self._open |= ends
        try:
            passing = [
                asyncio.ensure_future(self._pass(reader, up_writer, self._requests_pass)),
                asyncio.ensure_future(self._pass(up_reader, writer, self._answers_pass)),
            ]
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, may_pass: asyncio.Event
    ) -> None:
        while chunk := await reader.read(65536):
            if not may_pass.is_set():
                self._held_bytes += len(chunk)
                await may_pass.wait()
            await asyncio.sleep(self._delay)
            writer.write(chunk)
            await writer.drain()
