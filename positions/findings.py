"""What reconciliation can find, and how a question to the tables becomes findings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db import connection

from audit.shown import digits


class FindingKind(StrEnum):
    """What does not hold."""

    #: A lot is closed, and no trade says what it made.
    CLOSED_LOT_WITHOUT_TRADE = "closed_lot_without_trade"
    #: A trade that no lot led to.
    TRADE_WITHOUT_LOT = "trade_without_lot"
    #: A trade that no lot led to, and that another trade tells already.
    DUPLICATE_TRADE = "duplicate_trade"
    #: One book holds open lots in both directions.
    LOTS_FACE_BOTH_WAYS = "lots_face_both_ways"
    #: A trade tells its entry otherwise than its lot does.
    TRADE_DIFFERS_FROM_LOT = "trade_differs_from_lot"
    #: A trade's P&L is not the one its prices come to.
    PNL_DOES_NOT_FOLLOW = "pnl_does_not_follow"
    #: An alert counts as processed, and no lot was opened or closed by it.
    ALERT_WITHOUT_EFFECT = "alert_without_effect"
    #: What an alert traded is not what its lots were opened and closed by.
    QUANTITIES_DO_NOT_ADD_UP = "quantities_do_not_add_up"
    #: An alert did not find the position that the one before it left, or the open
    #: lots are not the position that the last one left.
    POSITIONS_DO_NOT_FOLLOW = "positions_do_not_follow"
    #: The alert that a lot was opened or closed by had no effect, or on another book.
    LOT_WITHOUT_ALERT = "lot_without_alert"
    #: A lot tells its price, time or direction otherwise than its alerts do.
    LOT_DIFFERS_FROM_ALERT = "lot_differs_from_alert"
    #: A trade tells its exit otherwise than the alert that closed it.
    TRADE_DIFFERS_FROM_ALERT = "trade_differs_from_alert"
    #: An alert points to a trade that none of its lots has, or to none of theirs.
    ALERT_LINKS_TO_OTHER_TRADE = "alert_links_to_other_trade"
    #: A log entry still wants its effect, long after it came in.
    ENTRY_STUCK = "entry_stuck"
    #: A log entry is marked as settled, and webhook_logs knows nothing of it.
    ENTRY_WITHOUT_ROW = "entry_without_row"
    #: A log entry is marked otherwise than its row in webhook_logs says.
    ENTRY_MARKED_OTHERWISE = "entry_marked_otherwise"
    #: An exit waits for its entry, and no log entry will ever end its waiting.
    PARKED_WITHOUT_ENTRY = "parked_without_entry"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold, and the rows it shows in."""

    kind: FindingKind
    #: The book; both empty for a log entry that nobody can read.
    strategy: str
    symbol: str
    #: For a trader.
    sentence: str
    #: Ids in open_positions, trades, webhook_logs and webhook_wal.
    lots: tuple[int, ...] = ()
    trades: tuple[int, ...] = ()
    alerts: tuple[int, ...] = ()
    entries: tuple[int, ...] = ()
    #: Whether what is right can be derived from the log.
    mendable: bool = False

    def as_json(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        return {**asdict(self), "kind": self.kind.value}


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the tables, asked once for all books; each row it selects is a finding."""

    kind: FindingKind
    #: Selects `strategy`, `symbol`, the ids as arrays `lots`, `trades`, `alerts` where
    #: it has some, and what the sentence names; takes the parameter `strategy`.
    sql: str
    #: Names the selected columns in braces.
    sentence: str

    def findings(self, strategy: str | None = None) -> Iterator[Finding]:
        """What it finds, of one strategy (by name) or of all."""
        for row in selected(self.sql, strategy=strategy):
            yield Finding(
                self.kind,
                row["strategy"],
                row["symbol"],
                _sentence(self.sentence, row),
                lots=tuple(row.get("lots", ())),
                trades=tuple(row.get("trades", ())),
                alerts=tuple(row.get("alerts", ())),
            )


def selected(sql: str, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of a query on the main database, by column name."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _sentence(pattern: str, row: dict[str, Any]) -> str:
    told = pattern.format_map({name: _shown(value) for name, value in row.items()})
    # Where there is no currency, its place is empty.
    return re.sub(r" +(?=[ ;,.)])", "", told)


def _shown(value: Any) -> Any:
    return digits(value) if isinstance(value, Decimal) else value
