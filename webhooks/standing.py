"""What the main database holds of the books at hand, read at once."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection

import deadline
import rows
from positions.models import Lot
from positions.open_lots import READ_FIRST, OpenLots, with_rest
from trades.models import Strategy
from webhooks import trail
from webhooks.main_database import TRANSACTION_SECONDS
from webhooks.models import LogStatus, WebhookLog
from webhooks.outcome import lots_moved
from webhooks.signal import book_name, book_parts

#: How much of a transaction's time one of its statements may take.
_STATEMENT_SHARE: Final = deadline.SILENCE_SHARE
#: And how much of it may go by before a lock is had, of an answer's time at the most: of several
#: alerts those that do not need the lock can then be applied without the one that does, and be
#: answered in time.
_LOCK_SHARE: Final = 0.34

#: The lock that orders alerts which are refused at once, and so belong to no book.
_REFUSED: Final = "refused"

#: The books that are ours from now on. Not waited for: one held book must not hold up the
#: others.
_HELD: Final = (
    "ARRAY(SELECT book FROM json_array_elements_text(%s) AS book"
    " WHERE pg_try_advisory_xact_lock(hashtextextended(book, 0)))"
)
_WAIT: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"

#: What is looked up is looked up by indexes. Plans are made once a connection, and a table
#: that was empty then would be read as a whole for as long as nobody analyzes it.
_PLANS: Final = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}

#: All of it as one value of JSON: a statement costs more than what it finds. Each book's rows
#: are looked up for it alone (that is what OFFSET 0 is for): a plan that was made while the
#: tables were empty would go through all open lots for each book.
_HOLDS: Final = f"""
WITH book AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%s) AS book(name varchar, symbol varchar)
)
SELECT json_build_object(
    'known', (
        SELECT json_agg(id ORDER BY id) FROM webhook_logs
        WHERE correlation_id = ANY(ARRAY(SELECT json_array_elements_text(%s)::uuid))
        OR idempotency_key = ANY(ARRAY(SELECT json_array_elements_text(%s)::varchar))
    ),
    'strategies', (
        SELECT json_agg({rows.as_json(Strategy)}) FROM strategies
        WHERE name = ANY(ARRAY(SELECT book.name FROM book))
    ),
    'lots', (
        SELECT json_agg({rows.as_json(Lot)} ORDER BY open_positions.id)
        FROM book CROSS JOIN LATERAL (
            SELECT id FROM strategies WHERE name = book.name OFFSET 0
        ) AS its CROSS JOIN LATERAL (
            SELECT * FROM open_positions
            WHERE strategy_id = its.id AND symbol = book.symbol AND status = 'open'
            ORDER BY id LIMIT {READ_FIRST}
        ) AS open_positions
    ),
    'ends', (
        SELECT json_agg(json_build_array(named, place, link))
        FROM json_array_elements_text(%s) AS named CROSS JOIN LATERAL (
            SELECT place, link FROM webhook_logs WHERE chain = named ORDER BY place DESC LIMIT 1
        ) AS last
    ),
    'parked', (
        SELECT json_agg(waiting.id) FROM book CROSS JOIN LATERAL (
            SELECT id FROM webhook_logs
            WHERE strategy = book.name AND symbol = book.symbol AND status = 'parked' OFFSET 0
        ) AS waiting
    )
)::text
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Some books, locked until the transaction's end, and what is known of some alerts.

    Whoever changes what a book holds says so here (`note`), for those who come after.
    """

    #: The books that are ours to change; the others somebody else holds.
    ours: set[str]
    #: By correlation id.
    alerts: dict[UUID, WebhookLog]
    #: By idempotency key.
    keys: dict[str, WebhookLog]
    #: By name.
    strategies: Mapping[str, Strategy]
    #: By book; where none are told, nothing is open.
    lots: dict[str, OpenLots]
    #: The ends of the books' chains of alerts, where they have any.
    ends: dict[str, trail.End]
    #: The exits that wait for their entry, by book, in the order they came.
    parked: dict[str, list[WebhookLog]]
    #: What the known alerts moved, by their id.
    moved: dict[int, list[Lot]]

    def note(self, log: WebhookLog, lots: OpenLots | None) -> None:
        """Tell what became of an alert; `lots` are its book's since, where it moved any.

        An exit that is parked now ends its book's turn: the entry that lets it through shall
        find it in the table.
        """
        self.alerts[log.correlation_id] = self.keys[log.idempotency_key] = log
        self.moved.pop(log.pk, None)
        book = book_name(log.strategy, log.symbol)
        if lots is not None:
            self.lots[book] = lots
        if log.status == LogStatus.PARKED:
            self.ours.discard(book)

    def lots_moved_by(self, log: WebhookLog) -> list[Lot]:
        """The lots that an alert which had its effect before entered or closed."""
        if log.pk not in self.moved:
            self.moved.update(lots_moved([log]))
        return self.moved[log.pk]


def look(
    books: Sequence[str],
    alerts: Sequence[UUID],
    keys: Sequence[str],
    *,
    with_refused: bool,
    seconds: float,
) -> Standing:
    """Lock these books, as far as nobody holds them, and read what they hold.

    The transaction has `seconds`, and the database gives up what takes too much of them, be it
    a lock, a statement, or us: a client that vanished must not keep its books.
    """
    parts = [book_parts(book) for book in books]
    asked = (
        [{"name": name, "symbol": symbol} for name, symbol in parts],
        list(map(str, alerts)),
        list(keys),
        [*books, trail.REFUSED] if with_refused else list(books),
    )
    # Each statement sees what was committed before it began, so what is read after the
    # locks is what their last holders left.
    chosen = _PLANS | _limits(seconds)
    told = [part for setting in chosen.items() for part in setting]
    settings = ", ".join(["set_config(%s, %s, true)"] * len(chosen))
    locked = rows.ask(f"SELECT {_HELD}, {settings}", [json.dumps(list(books)), *told])
    if with_refused:
        # No book's lock orders these. Nobody who holds it waits for a book.
        rows.ask(_WAIT, [_REFUSED])
    holds = rows.ask(_HOLDS, list(map(json.dumps, asked)))
    [(standing,)] = holds()
    [(held, *_)] = locked()
    found = json.loads(standing, parse_float=Decimal)
    strategies = [rows.from_json(Strategy, row) for row in found["strategies"] or ()]
    names = {strategy.pk: strategy.name for strategy in strategies}
    lots: dict[str, list[Lot]] = {}
    for row in found["lots"] or ():
        lot = rows.from_json(Lot, row)
        lots.setdefault(book_name(names[lot.strategy_id], lot.symbol), []).append(lot)
    known, waiting = found["known"] or (), found["parked"] or ()
    # An alert that is both is one row here too.
    logs = _alerts({*known, *waiting})
    parked: dict[str, list[WebhookLog]] = {}
    for key in sorted(waiting):
        parked.setdefault(book_name(logs[key].strategy, logs[key].symbol), []).append(logs[key])
    return Standing(
        ours=set(held),
        alerts={logs[key].correlation_id: logs[key] for key in known},
        keys={logs[key].idempotency_key: logs[key] for key in known},
        strategies={strategy.name: strategy for strategy in strategies},
        lots=with_rest(lots),
        ends={chain: (place, link) for chain, place, link in found["ends"] or ()},
        parked=parked,
        moved=lots_moved([logs[key] for key in known]),
    )


def lock_book(book: str) -> None:
    """Wait for a book, so that nothing of it is applied meanwhile; freed at commit."""
    with connection.cursor() as cursor:
        cursor.execute(_WAIT, [book])


def _alerts(ids: Collection[int]) -> dict[int, WebhookLog]:
    # Seldom any, so they are asked for apart.
    return WebhookLog.objects.in_bulk(list(ids)) if ids else {}


def _limits(seconds: float) -> dict[str, str]:
    """Have the database give up, until the transaction's end, what takes longer."""
    limits = {
        "lock_timeout": _LOCK_SHARE * min(seconds, TRANSACTION_SECONDS),
        "statement_timeout": _STATEMENT_SHARE * seconds,
        "idle_in_transaction_session_timeout": _STATEMENT_SHARE * seconds,
    }
    if deadline.notices_silence(connection):
        limits["transaction_timeout"] = seconds
    return {name: deadline.as_setting(most) for name, most in limits.items()}
