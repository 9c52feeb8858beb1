"""Pruning and the log's file: alerts come in meanwhile, and what is free is given back."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

from django.db import connections
from django.utils import timezone

from tests.commands import run
from tests.factories import EntryFactory, WebhookLogFactory
from wal import journal, retention
from wal.models import Entry, EntryStatus
from webhooks.pruning import prune


def settled_entries(number: int) -> None:
    """Old duplicates of one alert."""
    first = WebhookLogFactory(status="failed", error_code="NO_OPEN_POSITION")
    then = timezone.now() - timedelta(days=91)
    Entry.objects.bulk_create(
        [
            Entry(
                correlation_id=uuid.uuid4(),
                body=b"x" * 700,
                status="duplicate",
                received_at=then,
                webhook_log_id=first.pk,
            )
            for _ in range(number)
        ]
    )


def append() -> None:
    journal.append(
        b"{}", correlation_id=uuid.uuid4(), received_at=timezone.now(), envelope={}
    ).wait()


def test_appends_go_on_between_batches(databases: None) -> None:
    settled_entries(600)
    batches, waited = [0], []
    over = threading.Event()

    def append_all_the_time() -> None:
        with closing(connections["wal"]):
            while not over.is_set():
                before = batches[0]
                append()
                waited.append(batches[0] - before)

    with ThreadPoolExecutor(1) as appending:
        appends = appending.submit(append_all_the_time)
        try:
            prune(timezone.now() - timedelta(days=1), batch=2, advance=lambda _: count(batches))
        finally:
            over.set()
        appends.result()
    assert batches[0] == 300
    assert len(waited) > 20
    # It is behind one batch; others come before this thread is awake and looks.
    assert max(waited) < 30


def count(counter: list[int]) -> None:
    counter[0] += 1


def test_free_pages_are_given_back(databases: None) -> None:
    settled_entries(500)
    with connections["wal"].cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        before = cursor.fetchone()[0]
        told = run("prune")[1]
        cursor.execute("PRAGMA page_count")
        after = cursor.fetchone()[0]
        cursor.execute("PRAGMA freelist_count")
        assert cursor.fetchone() == (0,)
    assert before - after > 50
    assert "The log's file gave back" in told
    assert retention.give_back_pages() == (0, 0)


def test_an_entry_that_was_taken_up_again_meanwhile_stays(databases: None) -> None:
    entry = EntryFactory(status="failed")
    assert journal.claim([entry.pk], among=[EntryStatus.FAILED])
    assert retention.forget([entry.pk]) == 0
    assert Entry.objects.get().status == "processing"
