"""What lots and trades must hold among themselves, whatever the alerts said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from positions.findings import Check, Finding, FindingKind
from trades.comparison.tolerances import Tolerances

#: How far what is exported may differ, as a share.
_PRICE: Final = f"{Tolerances().price.amount:f}"
_QUANTITY: Final = f"{Tolerances().quantity.amount:f}"
_OF_STRATEGY: Final = "s.name = coalesce(%(strategy)s, s.name)"

#: What was corrected to nothing counts nowhere (`trades.corrections.counted`).
_COUNTS: Final = """
    NOT EXISTS (SELECT FROM corrections c
                 WHERE c.trade_id = t.id AND c.stands AND c.quantity = 0 AND c.pnl = 0)
"""

#: An imported trade has no lot, and says where it comes from.
_ORPHANS: Final = f"""
    SELECT s.name AS strategy, t.symbol, t.direction, t.quantity, t.id AS trade,
           t.pnl, t.currency, twin.id AS twin,
           array_remove(ARRAY[t.id, twin.id], NULL) AS trades,
           CASE WHEN EXISTS (SELECT FROM corrections c WHERE c.trade_id = t.id)
                THEN ' It was corrected, so --fix leaves it; correct it to a quantity of 0 if it '
                     'never happened.'
                ELSE '' END AS kept
      FROM trades t
      JOIN strategies s ON s.id = t.strategy_id
      LEFT JOIN open_positions o ON o.trade_id = t.id
      LEFT JOIN LATERAL (
           SELECT min(other.id) AS id
             FROM trades other
             JOIN open_positions its ON its.trade_id = other.id
            WHERE (other.strategy_id, other.symbol, other.direction, other.quantity,
                   other.entry_price, other.exit_price, other.entry_time, other.exit_time)
                = (t.strategy_id, t.symbol, t.direction, t.quantity,
                   t.entry_price, t.exit_price, t.entry_time, t.exit_time)
              AND o.id IS NULL
      ) twin ON true
     WHERE o.id IS NULL AND t.import_batch_id IS NULL AND {_COUNTS}
       AND {_OF_STRATEGY}
"""

#: The list tells when the bars of entry and exit began, alerts a time within, and several of
#: them what it tells as one trade; another trade of these bars and prices it would tell in one
#: with it, so that the quantities do not add up.
_IMPORTED_TWICE: Final = f"""
    SELECT s.name AS strategy, t.symbol, t.direction, t.quantity, t.id AS trade,
           t.pnl, t.currency, t.import_batch_id AS batch,
           array_to_string(made.ids, ', ') AS twins, t.id || made.ids AS trades
      FROM trades t
      JOIN strategies s ON s.id = t.strategy_id
      JOIN import_batches b ON b.id = t.import_batch_id
     CROSS JOIN LATERAL (
           SELECT array_agg(other.id ORDER BY other.id) AS ids, sum(other.quantity) AS quantity
             FROM trades other
             JOIN open_positions its ON its.trade_id = other.id
            WHERE (other.strategy_id, other.symbol, other.direction)
                = (t.strategy_id, t.symbol, t.direction)
              AND other.exit_time >= t.exit_time AND other.exit_time < t.exit_time + b.bar
              AND other.entry_time >= t.entry_time AND other.entry_time < t.entry_time + b.bar
              AND abs(other.entry_price - t.entry_price) <= t.entry_price * {_PRICE}
              AND abs(other.exit_price - t.exit_price) <= t.exit_price * {_PRICE}
     ) made
     WHERE abs(made.quantity - t.quantity) <= t.quantity * {_QUANTITY}
       AND {_COUNTS} AND {_OF_STRATEGY}
     ORDER BY t.id
"""

#: What P&L a trade's own prices come to, as `trades.pnl.realised_pnl` has it; NUMERIC
#: multiplies exactly.
_DUE: Final = """
    ((t.exit_price - t.entry_price) * CASE t.direction WHEN 'long' THEN 1 ELSE -1 END
     * t.quantity * t.point_value - t.commission)
"""

CHECKS: Final = (
    Check(
        FindingKind.CLOSED_LOT_WITHOUT_TRADE,
        f"""
        SELECT s.name AS strategy, o.symbol, o.direction, o.quantity, o.id AS lot,
               ARRAY[o.id] AS lots, ARRAY[o.exit_webhook_log_id] AS alerts
          FROM open_positions o JOIN strategies s ON s.id = o.strategy_id
         WHERE o.status = 'closed' AND o.trade_id IS NULL AND {_OF_STRATEGY}
         ORDER BY o.id
        """,
        "Lot {lot} ({direction} {quantity} {symbol}) is closed, but there is no trade that says "
        "what it made.",
    ),
    Check(
        FindingKind.TRADE_WITHOUT_LOT,
        f"{_ORPHANS} AND twin.id IS NULL ORDER BY t.id",
        "Trade {trade} ({direction} {quantity} {symbol}, P&L {pnl} {currency}) comes from no "
        "position.{kept}",
    ),
    Check(
        FindingKind.DUPLICATE_TRADE,
        f"{_ORPHANS} AND twin.id IS NOT NULL ORDER BY t.id",
        "Trade {trade} ({direction} {quantity} {symbol}) is trade {twin} once more, so its P&L of "
        "{pnl} {currency} counts twice.{kept}",
    ),
    Check(
        FindingKind.DUPLICATE_TRADE,
        _IMPORTED_TWICE,
        "Trade {trade} ({direction} {quantity} {symbol}) of import {batch} is trade {twins} once "
        "more, so its P&L of {pnl} {currency} counts twice; undo the import and import again.",
    ),
    Check(
        FindingKind.LOTS_FACE_BOTH_WAYS,
        f"""
        SELECT s.name AS strategy, o.symbol, array_agg(o.id ORDER BY o.id) AS lots,
               sum(o.quantity) FILTER (WHERE o.direction = 'long') AS long,
               sum(o.quantity) FILTER (WHERE o.direction = 'short') AS short
          FROM open_positions o JOIN strategies s ON s.id = o.strategy_id
         WHERE o.status = 'open' AND {_OF_STRATEGY}
         GROUP BY s.name, o.symbol
        HAVING count(DISTINCT o.direction) > 1
         ORDER BY s.name, o.symbol
        """,
        "{symbol} is long {long} and short {short} at the same time.",
    ),
    Check(
        FindingKind.TRADE_DIFFERS_FROM_LOT,
        f"""
        SELECT * FROM (
            SELECT s.name AS strategy, o.symbol, o.id AS lot, t.id AS trade,
                   ARRAY[o.id] AS lots, ARRAY[t.id] AS trades,
                   concat_ws(', ',
                       CASE WHEN t.strategy_id <> o.strategy_id THEN 'strategy' END,
                       CASE WHEN t.symbol <> o.symbol THEN 'symbol' END,
                       CASE WHEN t.direction <> o.direction THEN 'direction' END,
                       CASE WHEN t.quantity <> o.quantity THEN 'quantity' END,
                       CASE WHEN t.entry_price <> o.entry_price THEN 'entry price' END,
                       CASE WHEN t.entry_time <> o.entry_time THEN 'entry time' END,
                       -- Changed alone, its P&L does not follow, which tells enough.
                       CASE WHEN t.point_value <> o.point_value AND t.pnl = {_DUE}
                            THEN 'point value' END) AS differs
              FROM open_positions o
              JOIN trades t ON t.id = o.trade_id
              JOIN strategies s ON s.id = o.strategy_id
             WHERE {_OF_STRATEGY}
        ) compared WHERE differs <> '' ORDER BY lot
        """,
        "Trade {trade} and its lot {lot} differ in {differs}.",
    ),
    Check(
        FindingKind.PNL_DOES_NOT_FOLLOW,
        f"""
        SELECT s.name AS strategy, t.symbol, t.id AS trade, ARRAY[t.id] AS trades,
               t.pnl, t.currency, {_DUE} AS due
          FROM trades t JOIN strategies s ON s.id = t.strategy_id
         WHERE t.pnl <> {_DUE} AND {_OF_STRATEGY}
         ORDER BY t.id
        """,
        "Trade {trade} says it made {pnl} {currency}; by its prices, point value and commission "
        "it made {due}.",
    ),
    Check(
        FindingKind.PNL_DOES_NOT_FOLLOW,
        f"""
        SELECT s.name AS strategy, t.symbol, t.id AS trade, ARRAY[t.id] AS trades,
               t.pnl_discrepancy AS told, t.pnl_reported - t.pnl AS due
          FROM trades t JOIN strategies s ON s.id = t.strategy_id
         WHERE t.pnl_discrepancy IS NOT NULL
           AND t.pnl_discrepancy IS DISTINCT FROM t.pnl_reported - t.pnl AND {_OF_STRATEGY}
         ORDER BY t.id
        """,
        "Trade {trade} is flagged with a discrepancy of {told}; its reported and calculated P&L "
        "differ by {due}.",
    ),
)


def lot_and_trade_findings(strategy: str | None = None) -> Iterator[Finding]:
    """What does not hold among lots and trades, of one strategy (by name) or of all."""
    for check in CHECKS:
        yield from check.findings(strategy)
