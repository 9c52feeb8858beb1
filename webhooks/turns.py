"""Whose turn it is: the first unsettled entries of each book."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import takewhile
from operator import attrgetter
from typing import Final

from wal import journal
from wal.line import InLine, line, to_read
from wal.models import Entry, EntryStatus
from wal.steps import found_in_time
from webhooks.reading import NO_BOOK, books_read, read_book

#: The most entries of a book that are applied together: so that they share a transaction's cost,
#: and keep the other books' waiting no longer than that is worth.
MOST_OF_A_BOOK: Final = 32


def is_held(entry: Entry) -> bool:
    """Make sure that this process holds an entry that is in nobody's line.

    It was settled by somebody else meanwhile, and then needs no claim: applying it finds
    the effect it had. Or it was handed over to be tried once more.
    """
    if entry.status in (EntryStatus.PROCESSING, EntryStatus.COMPLETED, EntryStatus.DUPLICATE):
        return True
    if journal.claim([entry.pk], among=[EntryStatus(entry.status)]):
        return True
    # As it is by now; for the next look.
    [entry.status] = found_in_time(
        Entry.objects.filter(pk=entry.pk).values_list("status", flat=True)
    )
    return False


def line_of(book: str, entry_id: int) -> str | int:
    """What an entry waits in: its book's line, or one of its own where it has no book."""
    return entry_id if book == NO_BOOK else book


def first_in_line(its: Collection[str | int], *, up_to: int) -> dict[str | int, list[InLine]]:
    """The first unsettled entries of each line (`line_of`), in its order; none after `up_to`."""
    found: dict[str | int, list[InLine]] = {each: [] for each in its}
    unread: dict[int, InLine] = {}
    books = [each for each in its if isinstance(each, str)]
    alone = [each for each in its if isinstance(each, int)]
    for each in line(books, alone, up_to=up_to, most=MOST_OF_A_BOOK):
        book = each.book or books_read.get(each.correlation_id)
        if book is None:
            unread[each.id] = each
        elif (waits_in := line_of(book, each.id)) in found:
            found[waits_in].append(each)
    for entry in to_read(list(unread)):
        if (waits_in := line_of(read_book(entry), entry.pk)) in found:
            found[waits_in].append(unread[entry.pk])
    for each_line in found.values():
        each_line.sort(key=attrgetter("id"))
        del each_line[MOST_OF_A_BOOK:]
    return found


def run_of(its_line: Sequence[InLine], brought: Collection[int]) -> list[InLine]:
    """The beginning of a line that this process may apply as one.

    That is what nobody holds, and what it holds itself and has been brought (by entry id). It
    ends with the last that was brought, and before one that was and is not in the line: that
    one has to be applied alone.
    """
    last = max(brought)
    alone = min(set(brought).difference(each.id for each in its_line), default=last + 1)
    return list(
        takewhile(
            lambda each: (
                each.id <= last
                and each.id < alone
                and (each.is_free or (each.is_ours and each.id in brought))
            ),
            its_line,
        )
    )


def comes_before(entry: Entry, its_line: Sequence[InLine]) -> bool:
    """Whether an entry is older than all that are in its line, and so waits for none of them."""
    return all(entry.pk < each.id for each in its_line)
