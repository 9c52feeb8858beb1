"""Several hosts, each with a folder of its own, on one database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.installation import Elsewhere
from tests.server import Server


@pytest.fixture
def main(databases: None) -> Iterator[Elsewhere]:
    """A main database that nobody has migrated."""
    with Elsewhere("main_of_several_hosts") as main:
        yield main


@pytest.mark.parametrize("shares_log", [False, True])
def test_hosts_that_start_at_once_all_come_up(
    main: Elsewhere, tmp_path: Path, shares_log: bool
) -> None:
    with ExitStack() as stack, ThreadPoolExecutor() as starting:
        log = stack.enter_context(Elsewhere("log_of_several_hosts")).url if shares_log else ""
        servers = [
            Server(
                DATABASE_URL=main.url,
                WAL_DATABASE_URL=log,
                TRADELOG_DATA=str(tmp_path / f"host-{number}"),
                ANSWER_SECONDS="20",
            )
            for number in range(2)
        ]
        for server in [starting.submit(stack.enter_context, server) for server in servers]:
            server.result()
        assert [server.post(symbol=f"S{server.port}").http for server in servers] == [200, 200]
