"""Who waits no longer for a write is told what became of it, and that stays true."""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from django.db import connections
from django.utils import timezone

import deadline
from faults import LogUnavailable
from wal import journal
from wal.models import Entry
from wal.turn import Turnstile
from wal.writer import writer

pytestmark = pytest.mark.usefixtures("databases")


@contextmanager
def turn_held() -> Iterator[None]:
    """Another process's turn: whatever is asked of the writer meanwhile waits for it."""
    path = Path(str(connections["wal"].settings_dict["NAME"]))
    other = Turnstile(path)
    try:
        with other.turn():
            yield
    finally:
        other.close()


def is_waiting_for_its_turn() -> bool:
    gate = os.open(f"{connections['wal'].settings_dict['NAME']}-turnstile", os.O_RDWR)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(gate)
    return False


def append() -> journal.Appending:
    return journal.append(
        b"{}", correlation_id=uuid.uuid4(), received_at=timezone.now(), envelope={}
    )


def wait_briefly(appending: journal.Appending) -> LogUnavailable:
    with deadline.within(0.1), pytest.raises(LogUnavailable) as unavailable:
        appending.wait()
    return unavailable.value


def await_the_writer() -> None:
    """Until the writer stands at the turnstile."""
    end = time.monotonic() + 20
    while not is_waiting_for_its_turn():
        assert time.monotonic() < end
        time.sleep(0.001)


def everything_written() -> None:
    writer().submit(lambda: None, durable=False).result(timeout=20)


def test_what_was_given_up_in_the_line_is_not_written_later() -> None:
    with turn_held():
        appending = append()
        await_the_writer()
        unavailable = wait_briefly(appending)
    everything_written()

    assert unavailable.message == LogUnavailable().message
    assert not Entry.objects.exists()


def test_what_is_being_written_is_not_said_to_be_refused() -> None:
    """The disk takes too long: whether it is there then nobody can say."""
    started, go_on = Event(), Event()

    def take_long() -> None:
        started.set()
        go_on.wait(20)

    with turn_held():
        appending = append()
        # Of one batch, since both wait for their turn.
        writer().submit(take_long, durable=False)
    assert started.wait(20)
    unavailable = wait_briefly(appending)
    go_on.set()
    everything_written()

    assert unavailable.message != LogUnavailable().message
    assert Entry.objects.count() == 1


def test_what_is_written_at_the_last_moment_is_there() -> None:
    appending = append()
    everything_written()
    with deadline.within(0):
        assert appending.wait() == Entry.objects.get()
