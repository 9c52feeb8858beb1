from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.watch.receiving import Receiver
from watch.watching import Watch


@pytest.fixture(autouse=True)
def unreconciled(settings: Settings) -> None:
    """Rows that no alert brought about do not add up, which is not what is tested."""
    settings.ALERT_RECONCILE_HOURS = 0


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """Listens, and is the one who is told."""
    with Receiver() as listening:
        settings.ALERT_URLS = listening.url
        yield listening


@pytest.fixture
def watch(databases: None) -> Watch:
    """As a process that has just started; it has looked once, so that nothing is new to it."""
    watch = Watch()
    watch.look()
    return watch
