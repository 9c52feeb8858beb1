"""Entries are claimed, given back and marked, and found as long as they are not settled."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from tests.factories import EntryFactory
from tests.wal.appending import append, completed
from wal import journal
from wal.line import line
from wal.models import Entry, EntryStatus
from wal.statements import Mark
from wal.steps import walk

pytestmark = pytest.mark.usefixtures("databases")


@pytest.mark.parametrize(
    "left", [timedelta(seconds=-1), timedelta(hours=1)], ids=["over", "from a clock put back since"]
)
def test_a_live_claim_holds_and_an_expired_one_does_not(
    settings: Settings, left: timedelta
) -> None:
    settings.LEASE_SECONDS = 60

    def is_free() -> tuple[bool, bool]:
        (its,) = line([], [], up_to=entry.pk, most=1)
        return its.is_free, journal.free().exists()

    entry = append()
    assert is_free() == (False, False)
    assert not journal.claim([entry.pk])
    Entry.objects.filter(pk=entry.pk).update(claimed_until=timezone.now() + left)
    assert is_free() == (True, True)
    assert journal.claim([entry.pk])
    assert Entry.objects.get(pk=entry.pk).attempts == 2
    assert is_free() == (False, False)


def test_of_several_those_that_are_free_are_claimed() -> None:
    free, taken, settled = append(), append(), append()
    journal.release(free.pk, book="b", error="")
    journal.settle([completed(settled, 1)]).result(timeout=5)
    assert journal.claim([free.pk, taken.pk, settled.pk]) == {free.pk}
    assert journal.claim([free.pk, taken.pk, settled.pk]) == set()
    assert journal.claim([]) == set()


def test_a_claim_is_won_once() -> None:
    entry = append()
    journal.release(entry.pk, book="b", error="later")
    barrier = Barrier(16)

    def race(_: int) -> bool:
        barrier.wait()
        with closing(connections["wal"]):
            return bool(journal.claim([entry.pk]))

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(race, range(16))) == [False] * 15 + [True]


def test_release_leaves_what_is_settled_alone() -> None:
    entry = append()
    journal.settle([completed(entry, 7)]).result(timeout=5)
    journal.release(entry.pk, book="b", error="late")
    stored = Entry.objects.get(pk=entry.pk)
    assert (stored.status, stored.webhook_log_id, stored.last_error) == ("completed", 7, "")


def test_release_leaves_what_another_process_claims_alone() -> None:
    entry = EntryFactory(status="processing", claimed_by="another")
    journal.release(entry.pk, book="b", error="late")
    stored = Entry.objects.get(pk=entry.pk)
    assert (stored.status, stored.claimed_by) == ("processing", "another")


def test_a_mark_is_not_for_another_entry_with_the_same_id() -> None:
    entry = append()
    earlier = Mark(entry.pk, uuid.uuid4(), EntryStatus.COMPLETED, book="b", webhook_log_id=7)
    journal.settle([earlier]).result(timeout=5)
    stored = Entry.objects.get(pk=entry.pk)
    assert (stored.status, stored.webhook_log_id) == ("processing", None)


def test_unsettled_is_by_book_and_walked_in_log_order() -> None:
    first, second, third = append(), append(), append()
    journal.release(first.pk, book="a", error="")
    journal.release(second.pk, book="b", error="")

    def walked(book: str | None = None) -> list[int]:
        return [entry.pk for entry in walk(journal.unsettled(book))]

    # Their index has them by book: the third, which nobody has read, comes first there.
    assert walked() == [first.pk, second.pk, third.pk]
    # It may be of any book.
    assert walked("b") == [second.pk, third.pk]


def test_entries_of_other_labels_are_not_walked() -> None:
    first, second, third = append(), append(), append()
    journal.release(first.pk, book="a", error="")
    journal.release(second.pk, book="b", error="")
    walked = walk(journal.unsettled(), labelled=lambda book: book in ("", "b"))
    assert [entry.pk for entry in walked] == [second.pk, third.pk]


def test_walking_the_log_sees_what_happens_meanwhile() -> None:
    appended = [append() for _ in range(7)]
    walked = walk(journal.unsettled(), step=3)
    next(walked)
    for entry in appended[1:6]:
        journal.settle([completed(entry, None)]).result(timeout=5)
    second = next(walked)
    second.refresh_from_db()
    assert second.status == "completed"
    next(walked)
    assert [entry.pk for entry in walked] == [appended[6].pk]
