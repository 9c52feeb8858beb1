"""Whose turn it is: the first unsettled entry of each book."""

from __future__ import annotations

from collections.abc import Collection

from wal import journal
from wal.line import InLine, line, to_read
from wal.models import Entry, EntryStatus
from webhooks.reading import NO_BOOK, books_read, read_book


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


def line_of(book: str, entry_id: int) -> str | int:
    """What an entry waits in: its book's line, or one of its own where it has no book."""
    return entry_id if book == NO_BOOK else book


def first_in_line(lines: Collection[str | int], *, up_to: int) -> dict[str | int, InLine]:
    """The first unsettled entry of each line (`line_of`), as far as there is one."""
    found: dict[str | int, InLine] = {}
    unread: dict[int, InLine] = {}
    books = [each for each in lines if isinstance(each, str)]
    alone = [each for each in lines if isinstance(each, int)]
    for each in line(books, alone, up_to=up_to):
        book = each.book or books_read.get(each.correlation_id)
        if book is None:
            unread[each.id] = each
        else:
            found.setdefault(line_of(book, each.id), each)
    for entry in to_read(list(unread)):
        its, each = line_of(read_book(entry), entry.pk), unread[entry.pk]
        if its not in found or each.id < found[its].id:
            found[its] = each
    return found
