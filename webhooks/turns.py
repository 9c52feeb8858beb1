"""Whose turn it is: the first unsettled entry of each book."""

from __future__ import annotations

from wal import journal
from wal.line import InLine, line, to_read
from wal.models import Entry, EntryStatus
from webhooks.reading import books_read, read_book


def is_held(entry: Entry) -> bool:
    """Make sure that this process holds an entry that is in nobody's line.

    It was settled by somebody else meanwhile, and then needs no claim: applying it finds
    the effect it had. Or it was handed over to be tried once more.
    """
    if entry.status in (EntryStatus.PROCESSING, EntryStatus.COMPLETED, EntryStatus.DUPLICATE):
        return True
    if journal.claim([entry.pk], among=[EntryStatus(entry.status)]):
        return True
    entry.refresh_from_db(fields=["status"])
    return False


def first_in_line(books: set[str], *, up_to: int) -> dict[str, InLine]:
    """The first unsettled entry of each book."""
    found: dict[str, InLine] = {}
    unread: dict[int, InLine] = {}
    for each in line(books, up_to=up_to):
        book = each.book or books_read.get(each.correlation_id)
        if book is None:
            unread[each.id] = each
        elif book not in found:
            found[book] = each
    for entry in to_read(list(unread)):
        book, each = read_book(entry), unread[entry.pk]
        if book not in found or each.id < found[book].id:
            found[book] = each
    return found
