"""Entries read a step at a time, so that between steps nothing stays open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet

import deadline
from wal.models import Entry

M = TypeVar("M", bound=Model)
R = TypeVar("R")

#: Far more than the ids of millions of entries take, or the entries of one step: a PostgreSQL
#: that has not told them by then is not heard, and others wait for who asked.
PATIENCE: Final = 20.0


def walk(
    entries: QuerySet[Entry], *, step: int = 100, labelled: Callable[[str], bool] | None = None
) -> Iterator[Entry]:
    """The entries there are now, in the order of their ids, read a step at a time.

    With `labelled` those alone of whose book it is true, as the log has it ("": unread). What is
    no longer one of them when its step is read is left out. Between steps nothing stays open: a
    cursor held over many would keep SQLite showing this thread the log as it was, claims included.
    """
    # Ids alone where they will do: indexes hold them, and labels lie behind bodies.
    found = found_in_time(entries.order_by().values_list("pk", *(["book"] if labelled else [])))
    ids = sorted(key for key, *book in found if labelled is None or labelled(*book))
    for first in range(0, len(ids), step):
        these = entries.filter(pk__in=ids[first : first + step])
        yield from found_in_time(these.order_by("id"))


def told_in_steps(
    found: QuerySet[Any], *columns: str, step: int
) -> Iterator[list[tuple[Any, ...]]]:
    """Columns of entries, or of other rows, in the order of their ids, so many at a time.

    The first column is the id. As with `walk`, nothing stays open between steps.
    """
    told = found.order_by("id").values_list(*columns)
    last = 0
    while rows := list(told.filter(pk__gt=last)[:step]):
        yield rows
        last = rows[-1][0]


def found_in_time(found: QuerySet[M, R]) -> list[R]:
    """What a query finds; gives up a PostgreSQL that has not told it within PATIENCE."""
    with deadline.within(PATIENCE):
        return list(found)
