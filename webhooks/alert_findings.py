"""What alerts, lots and trades must hold together."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from positions.findings import Check, Finding, FindingKind, selected
from trades.numeric import plain
from webhooks.effect_order import breaks, in_order_of_effect, link_of, moving_alerts

_OF_STRATEGY: Final = "l.strategy = coalesce(%(strategy)s, l.strategy)"

#: Alerts that moved a position, or should have.
_MOVED: Final = "l.status = 'processed' AND NOT l.is_test"

#: What an alert opened, by the position around it; the rest of its quantity it closed.
_OPENED: Final = """
    (CASE WHEN l.position_before * l.position_after > 0
          THEN greatest(abs(l.position_after) - abs(l.position_before), 0)
          ELSE abs(l.position_after) END)
"""

CHECKS: Final = (
    Check(
        FindingKind.ALERT_WITHOUT_EFFECT,
        f"""
        SELECT l.strategy, l.symbol, l.id AS alert, ARRAY[l.id] AS alerts,
               coalesce(l.quantity, 0) AS quantity, l.price
          FROM webhook_logs l
         WHERE {_MOVED} AND {_OF_STRATEGY}
           AND NOT EXISTS (SELECT FROM open_positions o WHERE o.entry_webhook_log_id = l.id)
           AND NOT EXISTS (SELECT FROM open_positions o WHERE o.exit_webhook_log_id = l.id)
         ORDER BY l.id
        """,
        "Alert {alert} ({quantity} {symbol} at {price}) counts as processed, but no position was "
        "opened or closed by it.",
    ),
    Check(
        FindingKind.QUANTITIES_DO_NOT_ADD_UP,
        f"""
        WITH entered AS (
            SELECT entry_webhook_log_id AS alert, sum(quantity) AS quantity, array_agg(id) AS lots
              FROM open_positions GROUP BY 1
        ), exited AS (
            SELECT exit_webhook_log_id AS alert, sum(quantity) AS quantity, array_agg(id) AS lots
              FROM open_positions WHERE exit_webhook_log_id IS NOT NULL GROUP BY 1
        )
        SELECT l.strategy, l.symbol, l.id AS alert, ARRAY[l.id] AS alerts,
               coalesce(e.lots, '{{}}') || coalesce(x.lots, '{{}}') AS lots,
               coalesce(l.quantity, 0) AS quantity,
               coalesce(l.position_before, 0) AS before, coalesce(l.position_after, 0) AS after,
               coalesce(e.quantity, 0) AS opened, coalesce(x.quantity, 0) AS closed
          FROM webhook_logs l
          LEFT JOIN entered e ON e.alert = l.id
          LEFT JOIN exited x ON x.alert = l.id
         WHERE {_MOVED} AND {_OF_STRATEGY} AND (e.alert IS NOT NULL OR x.alert IS NOT NULL)
           AND (l.quantity IS DISTINCT FROM abs(l.position_after - l.position_before)
                OR l.quantity IS DISTINCT FROM coalesce(e.quantity, 0) + coalesce(x.quantity, 0)
                OR coalesce(e.quantity, 0) IS DISTINCT FROM {_OPENED})
         ORDER BY l.id
        """,
        "Alert {alert} traded {quantity} {symbol} and took the position from {before} to {after}; "
        "its lots were opened by {opened} and closed by {closed}.",
    ),
    Check(
        FindingKind.LOT_WITHOUT_ALERT,
        f"""
        SELECT s.name AS strategy, o.symbol, o.id AS lot, l.id AS alert, ARRAY[o.id] AS lots,
               ARRAY[l.id] AS alerts, what.happened,
               CASE WHEN l.is_test THEN 'is a test'
                    WHEN l.status <> 'processed' THEN 'was ' || l.status
                    ELSE concat('is about ', l.symbol, ' of ', l.strategy) END AS but
          FROM open_positions o
          JOIN strategies s ON s.id = o.strategy_id
         CROSS JOIN LATERAL (VALUES (o.entry_webhook_log_id, 'opened'),
                                    (o.exit_webhook_log_id, 'closed')) what (alert, happened)
          JOIN webhook_logs l ON l.id = what.alert
         WHERE (NOT ({_MOVED}) OR l.strategy <> s.name OR l.symbol <> o.symbol)
           AND s.name = coalesce(%(strategy)s, s.name)
         ORDER BY o.id
        """,
        "Lot {lot} of {symbol} was {happened} by alert {alert}, which {but}.",
    ),
    Check(
        FindingKind.LOT_DIFFERS_FROM_ALERT,
        f"""
        SELECT * FROM (
            SELECT l.strategy, l.symbol, o.id AS lot, l.id AS alert, ARRAY[o.id] AS lots,
                   ARRAY[l.id] AS alerts, concat_ws(', ',
                       CASE WHEN o.entry_price <> l.price THEN 'price' END,
                       CASE WHEN o.entry_time <> coalesce(l.order_time, l.received_at)
                            THEN 'time' END,
                       CASE WHEN (o.direction = 'long') <> (l.position_after > 0)
                            THEN 'direction' END) AS differs
              FROM open_positions o JOIN webhook_logs l ON l.id = o.entry_webhook_log_id
             WHERE {_MOVED} AND {_OF_STRATEGY}
            UNION ALL
            SELECT l.strategy, l.symbol, o.id, l.id, ARRAY[o.id], ARRAY[l.id], 'direction'
              FROM open_positions o JOIN webhook_logs l ON l.id = o.exit_webhook_log_id
             WHERE {_MOVED} AND {_OF_STRATEGY}
               AND (o.direction = 'long') <> (l.position_before > 0)
        ) compared WHERE differs <> '' ORDER BY lot
        """,
        "Lot {lot} of {symbol} and alert {alert} differ in {differs}.",
    ),
    Check(
        FindingKind.TRADE_DIFFERS_FROM_ALERT,
        f"""
        SELECT * FROM (
            SELECT l.strategy, l.symbol, t.id AS trade, l.id AS alert, ARRAY[o.id] AS lots,
                   ARRAY[t.id] AS trades, ARRAY[l.id] AS alerts, concat_ws(', ',
                       CASE WHEN t.exit_price <> l.price THEN 'exit price' END,
                       CASE WHEN t.exit_time <> coalesce(l.order_time, l.received_at)
                            THEN 'exit time' END) AS differs
              FROM open_positions o
              JOIN trades t ON t.id = o.trade_id
              JOIN webhook_logs l ON l.id = o.exit_webhook_log_id
             WHERE {_MOVED} AND {_OF_STRATEGY}
        ) compared WHERE differs <> '' ORDER BY trade
        """,
        "Trade {trade} and alert {alert}, which closed it, differ in {differs}.",
    ),
    Check(
        FindingKind.ALERT_LINKS_TO_OTHER_TRADE,
        f"""
        SELECT l.strategy, l.symbol, l.id AS alert, ARRAY[l.id] AS alerts,
               array_remove(ARRAY[l.trade_id], NULL) AS trades,
               coalesce('trade ' || l.trade_id || ', which it did not close',
                        'no trade, though it closed one') AS told
          FROM webhook_logs l
         WHERE {_OF_STRATEGY}
           AND CASE WHEN l.trade_id IS NULL
               THEN {_MOVED} AND EXISTS (
                    SELECT FROM open_positions o
                     WHERE o.exit_webhook_log_id = l.id AND o.trade_id IS NOT NULL)
               ELSE NOT EXISTS (
                    SELECT FROM open_positions o
                     WHERE o.exit_webhook_log_id = l.id AND o.trade_id = l.trade_id)
               END
         ORDER BY l.id
        """,
        "Alert {alert} points to {told}.",
    ),
)

#: Books in which, by the clock, positions do not follow from one another, or the open
#: lots from the last; clocks can be set back, so this is a first look.
_BOOKS_OUT_OF_STEP: Final = f"""
    WITH step AS (
        SELECT l.strategy, l.symbol, l.position_before, l.position_after,
               lag(l.position_after, 1, 0) OVER book AS found,
               lead(l.id) OVER book AS next
          FROM webhook_logs l
         WHERE {_MOVED} AND {_OF_STRATEGY}
        WINDOW book AS (PARTITION BY l.strategy, l.symbol ORDER BY l.processed_at, l.id)
    ), held AS (
        SELECT s.name AS strategy, o.symbol,
               sum(o.quantity * CASE o.direction WHEN 'long' THEN 1 ELSE -1 END) AS position
          FROM open_positions o JOIN strategies s ON s.id = o.strategy_id
         WHERE o.status = 'open' AND s.name = coalesce(%(strategy)s, s.name)
         GROUP BY 1, 2
    )
    SELECT strategy, symbol FROM step WHERE position_before IS DISTINCT FROM found
    UNION
    SELECT strategy, symbol
      FROM (SELECT * FROM step WHERE next IS NULL) last FULL JOIN held USING (strategy, symbol)
     WHERE coalesce(last.position_after, 0) <> coalesce(held.position, 0)
     ORDER BY 1, 2
"""

_HELD: Final = """
    SELECT coalesce(sum(o.quantity * CASE o.direction WHEN 'long' THEN 1 ELSE -1 END), 0)
               AS position,
           coalesce(array_agg(o.id ORDER BY o.id), '{}') AS lots
      FROM open_positions o JOIN strategies s ON s.id = o.strategy_id
     WHERE o.status = 'open' AND s.name = %(strategy)s AND o.symbol = %(symbol)s
"""


def alert_findings(strategy: str | None = None) -> Iterator[Finding]:
    """What does not hold between alerts and lots, of one strategy (by name) or of all."""
    for check in CHECKS:
        yield from check.findings(strategy)
    for book in selected(_BOOKS_OUT_OF_STEP, strategy=strategy):
        yield from _out_of_step(book["strategy"], book["symbol"])


def _out_of_step(strategy: str, symbol: str) -> Iterator[Finding]:
    alerts = in_order_of_effect(moving_alerts(strategy, symbol).defer("payload"))
    for found, alert in breaks(link_of(alert) for alert in alerts):
        yield Finding(
            FindingKind.POSITIONS_DO_NOT_FOLLOW,
            strategy,
            symbol,
            f"Alert {alerts[alert].pk} found a position of {_shown(alerts[alert].position_before)}"
            f" {symbol}, but the one before it had left {_shown(found)}.",
            alerts=tuple(one.pk for one in alerts[max(alert - 1, 0) : alert + 1]),
        )
    held = selected(_HELD, strategy=strategy, symbol=symbol)[0]
    left = alerts[-1].position_after if alerts else 0
    if left != held["position"]:
        yield Finding(
            FindingKind.POSITIONS_DO_NOT_FOLLOW,
            strategy,
            symbol,
            f"The open lots are a position of {_shown(held['position'])} {symbol}, but the last "
            f"alert left {_shown(left)}.",
            lots=tuple(held["lots"]),
            alerts=tuple(alert.pk for alert in alerts[-1:]),
        )


def _shown(position: object) -> str:
    return str(plain(position)) if isinstance(position, Decimal) else str(position or 0)
