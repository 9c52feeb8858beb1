"""What the main database holds of the books at hand, read in one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection

import rows
from positions.models import Lot
from trades.models import Strategy
from webhooks import trail
from webhooks.models import WebhookLog
from webhooks.signal import book_name, book_parts

#: How much of a transaction's time one of its statements may take.
STATEMENT_SHARE: Final = 0.75

#: The lock that orders alerts which are refused at once, and so belong to no book.
_REFUSED: Final = "refused"

#: Not waited for: one held book must not hold up the others.
_HELD: Final = (
    "SELECT book FROM unnest(%s::text[]) AS book"
    " WHERE pg_try_advisory_xact_lock(hashtextextended(book, 0))"
)
_WAIT: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_KNOWN: Final = (
    f"SELECT {rows.columns(WebhookLog)} FROM webhook_logs"
    " WHERE correlation_id = ANY(%s::uuid[]) OR idempotency_key = ANY(%s::varchar[])"
    " ORDER BY id"
)
_STRATEGIES: Final = (
    f"SELECT {rows.columns(Strategy)} FROM strategies WHERE name = ANY(%s::varchar[])"
)
_LOTS: Final = (
    f"SELECT {rows.columns(Lot)} FROM unnest(%s::varchar[], %s::varchar[]) AS book(name, symbol)"
    " JOIN strategies ON strategies.name = book.name"
    " JOIN open_positions ON open_positions.strategy_id = strategies.id"
    " AND open_positions.symbol = book.symbol AND open_positions.status = 'open'"
    " ORDER BY open_positions.id"
)
_ENDS: Final = (
    "SELECT named, place, link FROM unnest(%s::text[]) AS named CROSS JOIN LATERAL (SELECT"
    " place, link FROM webhook_logs WHERE chain = named ORDER BY place DESC LIMIT 1) AS last"
)
_PARKED: Final = (
    f"SELECT {rows.columns(WebhookLog)} FROM unnest(%s::varchar[], %s::varchar[])"
    " AS book(name, symbol) JOIN webhook_logs ON webhook_logs.strategy = book.name"
    " AND webhook_logs.symbol = book.symbol AND webhook_logs.status = 'parked'"
    " ORDER BY webhook_logs.id"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Some books, locked until the transaction's end, and what is known of some alerts."""

    #: The books that are ours; the others somebody else holds.
    held: frozenset[str]
    #: By correlation id.
    alerts: Mapping[UUID, WebhookLog]
    #: By idempotency key.
    keys: Mapping[str, WebhookLog]
    #: By name.
    strategies: Mapping[str, Strategy]
    #: The open lots of a book in the order they were opened.
    lots: Mapping[str, list[Lot]]
    #: The ends of the books' chains of alerts, where they have any.
    ends: Mapping[str, trail.End]
    #: The exits that wait for their entry, by book, in the order they came.
    parked: Mapping[str, list[WebhookLog]]


def look(
    books: Sequence[str],
    alerts: Sequence[UUID],
    keys: Sequence[str],
    *,
    with_refused: bool,
    statement_seconds: float,
) -> Standing:
    """Lock these books, as far as nobody holds them, and read what they hold.

    The database gives up what takes longer than `statement_seconds` in this transaction,
    be it a lock, a statement, or us: a client that vanished must not keep its books.
    """
    parts = [book_parts(book) for book in books]
    names, symbols = [name for name, _ in parts], [symbol for _, symbol in parts]
    # Each statement sees what was committed before it began, so what is read after the
    # locks is what their last holders left.
    with rows.one_round_trip() as ask:
        _limit(ask, statement_seconds)
        held = ask(_HELD, [list(books)])
        if with_refused:
            # No book's lock orders these. Nobody who holds it waits for a book.
            ask(_WAIT, [_REFUSED])
        known = ask(_KNOWN, [list(alerts), list(keys)])
        strategies = ask(_STRATEGIES, [names])
        lots = ask(_LOTS, [names, symbols])
        ends = ask(_ENDS, [[*books, trail.REFUSED] if with_refused else list(books)])
        parked = ask(_PARKED, [names, symbols])
    found = rows.loaded(WebhookLog, known)
    named = {strategy.name: strategy for strategy in rows.loaded(Strategy, strategies)}
    names_by_id = {strategy.pk: name for name, strategy in named.items()}
    open_lots: dict[str, list[Lot]] = {}
    for lot in rows.loaded(Lot, lots):
        open_lots.setdefault(book_name(names_by_id[lot.strategy_id], lot.symbol), []).append(lot)
    waiting: dict[str, list[WebhookLog]] = {}
    for log in rows.loaded(WebhookLog, parked):
        waiting.setdefault(book_name(log.strategy, log.symbol), []).append(log)
    return Standing(
        held=frozenset(book for (book,) in held.fetchall()),
        alerts={log.correlation_id: log for log in found},
        keys={log.idempotency_key: log for log in found},
        strategies=named,
        lots=open_lots,
        ends={chain: (place, link) for chain, place, link in ends.fetchall()},
        parked=waiting,
    )


def _limit(ask: rows.Ask, seconds: float) -> None:
    """Have the database give up, until the transaction's end, what takes longer."""
    limits = {
        # First, since who waited for a lock may try again, and who was too slow may not.
        "lock_timeout": 0.9 * seconds,
        "statement_timeout": seconds,
        "idle_in_transaction_session_timeout": seconds,
    }
    if connection.get_database_version() >= (17,):
        # What comes of idling after a pipeline is not noticed: its last message is no query.
        limits["transaction_timeout"] = seconds / STATEMENT_SHARE
    told = [part for name, most in limits.items() for part in (name, f"{most * 1000:.0f}ms")]
    ask(f"SELECT {', '.join(['set_config(%s, %s, true)'] * len(limits))}", told)
