"""The books that have trades."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from django.db import connection


class TradedBook(NamedTuple):
    """One strategy on one symbol, and when its first and its last trade were closed (UTC)."""

    strategy: str
    symbol: str
    first: datetime
    last: datetime


# Jumps from book to book in the index trades_of_book_by_exit, and looks at both ends of
# each; a GROUP BY would read every trade.
_QUERY: Final = """
WITH RECURSIVE books AS (
    (SELECT strategy_id, symbol FROM trades ORDER BY strategy_id, symbol LIMIT 1)
    UNION ALL
    SELECT further.strategy_id, further.symbol
    FROM books CROSS JOIN LATERAL (
        SELECT trades.strategy_id, trades.symbol
        FROM trades
        WHERE (trades.strategy_id, trades.symbol) > (books.strategy_id, books.symbol)
        ORDER BY trades.strategy_id, trades.symbol
        LIMIT 1
    ) AS further
)
SELECT strategies.name, books.symbol, ends.first, ends.last
FROM books
JOIN strategies ON strategies.id = books.strategy_id
CROSS JOIN LATERAL (
    SELECT min(exit_time) AS first, max(exit_time) AS last
    FROM trades
    WHERE trades.strategy_id = books.strategy_id AND trades.symbol = books.symbol
) AS ends
ORDER BY strategies.name, books.symbol
"""


def traded_books() -> list[TradedBook]:
    """Every book that has a trade, by name; as fast as there are few books."""
    with connection.cursor() as cursor:
        cursor.execute(_QUERY)
        return [TradedBook(*row) for row in cursor.fetchall()]
