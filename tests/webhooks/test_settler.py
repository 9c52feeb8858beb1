"""The settler: what has no book waits for nobody, and no fault ends it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

import deadline
import wal.writer
from faults import Queued
from tests.alerts import Poster
from tests.factories import EntryFactory
from wal.models import Entry
from wal.writer import Writer
from webhooks.draining import drain_once
from webhooks.models import WebhookLog
from webhooks.outcome import Outcome
from webhooks.pipeline import hand_over, outcome_of, settle_through
from webhooks.settler import settler
from webhooks.waiting import Waiting

GARBAGE = b"no JSON"


@contextmanager
def no_turn_to_be_had(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process's first write finds that its locks cannot be opened: too many files, no right."""
    lock = Path(f"{connections['wal'].settings_dict['NAME']}-turnstile")
    aside = lock.with_suffix(".aside")
    lock.touch()
    lock.rename(aside)
    lock.mkdir()
    monkeypatch.setattr(wal.writer, "_writer", (os.getpid(), Writer()))
    try:
        yield
    finally:
        lock.rmdir()
        aside.rename(lock)


@pytest.mark.parametrize("label", ["", "-"], ids=["unread", "read"])
def test_what_nobody_can_read_does_not_wait_for_others_of_its_kind(
    post: Poster, settings: Settings, label: str
) -> None:
    """Another worker may have died with one of them in hand."""
    settings.LEASE_SECONDS = 60
    EntryFactory(body=GARBAGE, book=label, status="processing", claimed_by="another")
    answer = post("no JSON either")
    assert (answer.http, answer.code) == (400, "INVALID_JSON")


@pytest.mark.parametrize("label", ["", "-"], ids=["unread", "read"])
def test_what_nobody_can_read_is_left_to_who_holds_it(
    post: Poster, settings: Settings, label: str
) -> None:
    settings.LEASE_SECONDS = 60
    held = EntryFactory(body=GARBAGE, book=label, status="processing", claimed_by="another")
    with pytest.raises(Queued):
        settle_through(held, patience=0)
    held.refresh_from_db()
    assert (held.status, held.claimed_by) == ("processing", "another")

    Entry.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert drain_once() == 1
    held.refresh_from_db()
    assert (held.status, held.claimed_by, held.attempts) == ("failed", "", 1)


def test_a_log_whose_locks_cannot_be_opened_is_a_passing_fault(
    post: Poster, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = EntryFactory()
    with no_turn_to_be_had(monkeypatch):
        answer = post()
        assert (answer.http, answer.code) == (503, "WAL_UNAVAILABLE")
        with deadline.within(20), pytest.raises(Queued):
            outcome_of(hand_over(waiting, patience=0))

    assert post()["status"] == "processed"
    assert drain_once() == 1


def test_what_comes_at_the_deadline_is_told(
    databases: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting(EntryFactory(), limit=0)
    abandon = settler().abandon

    def settled_meanwhile(its: Waiting) -> bool:
        its.done.set_result(Outcome(WebhookLog(pk=1)))
        return abandon(its)

    monkeypatch.setattr(settler(), "abandon", settled_meanwhile)
    with deadline.within(0):
        assert outcome_of(waiting).log.pk == 1
