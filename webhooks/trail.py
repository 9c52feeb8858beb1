"""The tamper-evident trail: every alert's row is chained to the one before it.

Each book is a chain of its own. Its rows are written one after the other anyway, by
whoever holds the book's lock, so chaining makes nobody wait. Refused alerts, which belong
to no book and may be pruned, are one more chain. docs/trail.md says what this proves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

import rows
from audit.shown import counted
from wal.models import Entry
from wal.steps import told_in_steps
from webhooks import trail_hash
from webhooks.models import LogStatus, TrailAnchor, WebhookLog
from webhooks.signal import book_name
from webhooks.snapshot import one_moment

#: The chain of alerts that were refused at once.
REFUSED: Final = "-"

_COLUMNS: Final = (
    "id", "chain", "place", "link", "seal",
    *trail_hash.CAME_IN, *trail_hash.CAME_IN_LATELY, *trail_hash.BECAME,
)  # fmt: skip

#: What may change in a row that is there: nothing that its link is over.
_WRITTEN_AGAIN: Final = (*trail_hash.BECAME, "seal")

#: What stays: the row itself, its place in the trail, and what its link is over.
_STAYS: Final = (
    "id", "chain", "place", "link", *trail_hash.CAME_IN, *trail_hash.CAME_IN_LATELY,
)  # fmt: skip

#: Rows read, or log entries compared, at once.
_TOGETHER: Final = 2000


#: A chain's last place, and the hash there.
End = tuple[int, str]


def chain_of(log: WebhookLog) -> str:
    """The chain that an alert's row belongs to."""
    refused = log.status == LogStatus.REJECTED
    return REFUSED if refused else book_name(log.strategy, log.symbol)


def record(logs: Sequence[WebhookLog], ends: dict[str, End]) -> Callable[[], None]:
    """Save the rows of alerts with their hashes; new ones each at the end of its chain.

    `ends` are those of their chains, as far as they have any, and tell the new ones then.
    Called in the transaction that holds the locks of their books, and of the refused if one of
    them is. New ones have their ids only once what is returned has waited for them.
    """
    new, known = [log for log in logs if not log.link], [log for log in logs if log.link]
    for log in new:
        log.chain = chain_of(log)
        place, previous = ends.get(log.chain) or _start_of(log.chain)
        log.place = place + 1
        log.link = trail_hash.link(settings.TRAIL_KEY, log.chain, log.place, previous, vars(log))
        ends[log.chain] = log.place, log.link
    for log in logs:
        log.seal = trail_hash.seal(settings.TRAIL_KEY, log.link, vars(log))
    rows.update(known, _WRITTEN_AGAIN)
    return rows.ask_to_insert(new)


def take_place(log: WebhookLog, failed: WebhookLog) -> None:
    """Have an alert that is tried again keep its place in the trail, and what came in, as it was
    read then: another version may read it otherwise.
    """
    for name in _STAYS:
        setattr(log, name, getattr(failed, name))


def came_in_so(log: WebhookLog) -> bool:
    """Whether the trail has it that what came in was what this row says."""
    before = WebhookLog.objects.filter(chain=log.chain, place=log.place - 1)
    previous = before.values_list("link", flat=True).first() or _start_of(log.chain)[1]
    came_in = trail_hash.link(settings.TRAIL_KEY, log.chain, log.place, previous, vars(log))
    return log.link == came_in


def reseal(log_ids: Iterable[int]) -> None:
    """Seal rows again after what became of them was changed on purpose."""
    logs = list(WebhookLog.objects.filter(pk__in=list(log_ids)))
    for log in logs:
        log.seal = trail_hash.seal(settings.TRAIL_KEY, log.link, vars(log))
    WebhookLog.objects.bulk_update(logs, ["seal"], batch_size=500)


def _start_of(chain: str) -> tuple[int, str]:
    """What the first row that is kept of a chain follows."""
    anchor = TrailAnchor.objects.filter(chain=chain).first()
    if anchor is None:
        return 0, trail_hash.BEGINNING
    return anchor.place, anchor.link


@transaction.atomic
def forget(chain: str, up_to: int) -> int:
    """Delete a chain's rows up to a place, and say so in its anchor; tell how many."""
    last = WebhookLog.objects.get(chain=chain, place=up_to)
    TrailAnchor.objects.update_or_create(
        chain=chain,
        defaults={
            "place": last.place,
            "link": last.link,
            "seal": trail_hash.anchor(settings.TRAIL_KEY, chain, last.place, last.link),
        },
    )
    deleted, _ = WebhookLog.objects.filter(chain=chain, place__lte=up_to).delete()
    return deleted


@dataclass(frozen=True, slots=True)
class Break:
    """A place at which the trail does not hold."""

    #: `webhook_logs.id`; None where the row is gone.
    log_id: int | None
    chain: str
    place: int
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        return {
            "webhook_log_id": self.log_id,
            "chain": self.chain,
            "place": self.place,
            "sentence": self.sentence,
        }


def verify(advance: Callable[[int], object] = lambda number: None) -> Iterator[Break]:
    """Each place at which a row was changed, removed or put in between.

    Calls `advance` with the number of rows checked since. Changes nothing, and holds
    nobody up; what is written meanwhile is not looked at.
    """
    with one_moment():
        anchors = {anchor.chain: anchor for anchor in TrailAnchor.objects.all()}
        for anchor in anchors.values():
            yield from _check_anchor(anchor)
        chained = WebhookLog.objects.order_by("chain", "place").values(*_COLUMNS)
        chain, place, previous = None, 0, trail_hash.BEGINNING
        for row in chained.iterator(chunk_size=_TOGETHER):
            if row["chain"] != chain:
                chain = row["chain"]
                place, previous = 0, trail_hash.BEGINNING
                if chain in anchors:
                    place, previous = anchors[chain].place, anchors[chain].link
            yield from _check(row, place, previous)
            place, previous = row["place"], row["link"]
            advance(1)
    yield from _removed(advance)


def rows_to_check() -> int:
    """How many rows `verify` goes through: of alerts, and of the log, where it looks for them."""
    alerts: int = WebhookLog.objects.count()
    return alerts + _settled().count()


def _settled() -> QuerySet[Entry]:
    return Entry.objects.filter(webhook_log_id__isnull=False)


def _check(row: dict[str, Any], place: int, previous: str) -> Iterator[Break]:
    def broken(sentence: str) -> Break:
        return Break(row["id"], row["chain"], row["place"], sentence)

    key = settings.TRAIL_KEY
    if row["place"] <= place:
        yield broken(
            f"Alert {row['id']} was put in: its place is {row['place']}, and the first that is "
            f"kept has {place + 1}."
        )
    elif row["place"] != place + 1:
        gone = counted(row["place"] - place - 1, "alert")
        yield broken(
            f"Before alert {row['id']}, {gone} missing: its place is {row['place']}, and the "
            f"one before it has {place}."
        )
    elif row["link"] != trail_hash.link(key, row["chain"], row["place"], previous, row):
        yield broken(
            f"Alert {row['id']}, or its place after the one before it, is not what was written: "
            "what came in was changed, or it was put in."
        )
    if row["seal"] != trail_hash.seal(key, row["link"], row):
        yield broken(f"What became of alert {row['id']} was changed.")


def _check_anchor(anchor: TrailAnchor) -> Iterator[Break]:
    expected = trail_hash.anchor(settings.TRAIL_KEY, anchor.chain, anchor.place, anchor.link)
    if anchor.seal != expected:
        yield Break(None, anchor.chain, anchor.place, "The record of what was pruned was changed.")


def _removed(advance: Callable[[int], object]) -> Iterator[Break]:
    """Alerts that the log knows and that are gone: the end of a chain leaves no gap.

    What is pruned from the trail was pruned from the log before.
    """
    for batch in told_in_steps(_settled(), "id", "webhook_log_id", step=_TOGETHER):
        named = {log_id for _, log_id in batch}
        there = set(WebhookLog.objects.filter(pk__in=named).values_list("pk", flat=True))
        for entry_id, log_id in batch:
            if log_id not in there:
                sentence = f"Alert {log_id} is gone; the log has it as entry {entry_id}."
                yield Break(None, "", 0, sentence)
        advance(len(batch))
