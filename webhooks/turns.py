"""Whose turn it is: the first unsettled entry of each book, and the claim on it."""

from __future__ import annotations

from collections.abc import Collection

from wal import journal
from wal.line import InLine, line
from wal.models import Entry, EntryStatus
from webhooks.reading import books_read, read


def claim(entry: InLine) -> bool:
    """Take an entry that nobody who is alive holds; tell whether it is ours now."""
    return entry.is_free and journal.claim(entry.id)


def is_held(entry: Entry, standing: InLine | None) -> bool:
    """Make sure that this process holds the claim of a book's first entry."""
    if standing is not None and standing.id == entry.pk:
        return standing.is_ours or claim(standing)
    # Settled by somebody else meanwhile, or handed over to be tried once more. The first
    # needs no claim: applying it finds the effect it had.
    if entry.status in (EntryStatus.PROCESSING, EntryStatus.COMPLETED, EntryStatus.DUPLICATE):
        return True
    if journal.claim(entry.pk, among=(EntryStatus(entry.status),)):
        return True
    entry.refresh_from_db(fields=["status"])
    return False


def first_in_line(
    books: set[str], *, up_to: int, besides: Collection[int] = ()
) -> dict[str, InLine]:
    """The first unsettled entry of each book, `besides` these."""
    found: dict[str, InLine] = {}
    unread = []
    for each in line(books, up_to=up_to, besides=besides):
        book = each.book or books_read.get(each.correlation_id)
        if book is None:
            unread.append(each)
        elif book not in found:
            found[book] = each
    entries = Entry.objects.in_bulk([each.id for each in unread]) if unread else {}
    for each in unread:
        entry = entries[each.id]
        reading = read(entry)
        books_read.note(entry, reading)
        if reading.book not in found or each.id < found[reading.book].id:
            found[reading.book] = each
    return found
