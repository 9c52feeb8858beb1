"""The statements by which PostgreSQL and SQLite make the rows of a history."""

from __future__ import annotations

#: The alert's name from its id, the same in both databases, and in its order as the service's
#: own are; before any that the service gives.
_UUID = "('01' || lpad(to_hex({id}), 30, '0'))::uuid"

_LOGS = """
INSERT INTO webhook_logs (
    id, correlation_id, wal_id, idempotency_key, status, error_code, error_message,
    error_fields, strategy, symbol, payload, token_name, source_address, is_test, via_mail,
    received_at, processed_at, order_time, direction, quantity, price, action, position_before,
    position_after, tradingview_before, tradingview_after, drift, trade_id, chain, place, link,
    seal)
"""

# One row an alert: `step` 0 is the entry, the last one the exit, and those between have
# no effect. Times go evenly from `days` ago until now.
ALERTS_OF_TRADES = (
    _LOGS
    + """
SELECT n + 1, UUID, n + 1, 'order:' || encode(sha256(int8send(n)), 'hex'),
    kind, CASE kind WHEN 'rejected' THEN 'INVALID_PAYLOAD' WHEN 'failed' THEN 'NO_OPEN_POSITION'
        ELSE '' END, CASE kind WHEN 'processed' THEN '' ELSE 'Of the history.' END, '{}',
    CASE kind WHEN 'rejected' THEN '' ELSE name END,
    CASE kind WHEN 'rejected' THEN '' ELSE %(symbol)s END,
    format('{"strategy":"%%s","ticker":"%%s","action":"buy","contracts":"1","price":"%%s",'
        '"time":"%%s","comment":"crossover of two averages"}', name, %(symbol)s, price, at),
    'bench', '127.0.0.1', is_between AND kind = 'processed', false, at, at + interval '8 ms', at,
    'long', CASE WHEN is_between THEN NULL ELSE 1 END, price,
    CASE WHEN is_between THEN '' WHEN step = 0 THEN 'opened' ELSE 'closed' END,
    CASE WHEN is_between THEN NULL WHEN step = 0 THEN 0 ELSE 1 END,
    CASE WHEN is_between THEN NULL WHEN step = 0 THEN 1 ELSE 0 END, '', '', false,
    CASE WHEN step = %(per)s - 1 THEN trade + 1 END,
    CASE kind WHEN 'rejected' THEN '-' ELSE name || chr(31) || %(symbol)s END,
    CASE kind WHEN 'rejected' THEN n + 1 ELSE trade / %(books)s * %(per)s + step + 1 END,
    encode(sha256(int8send(n)), 'hex'), encode(sha256(int8send(-n)), 'hex')
FROM (
    SELECT *, step NOT IN (0, %(per)s - 1) AS is_between,
        CASE WHEN step IN (0, %(per)s - 1) THEN 'processed' WHEN n %% 50 = 7 THEN 'rejected'
            WHEN n %% 50 = 21 THEN 'failed' ELSE 'processed' END AS kind,
        %(until)s::timestamptz
            - make_interval(secs => %(days)s * 86400.0 * (%(all)s - n) / %(all)s) AS at,
        100.25 + trade %% 97
            + CASE step WHEN 0 THEN 0 ELSE round((trade * 7919 %% 41 - 20) / 10.0, 2) END AS price
    FROM (
        SELECT trade, step, trade * %(per)s + step AS n, 'Strategy ' || trade %% %(books)s AS name
        FROM generate_series(%(first)s::bigint, %(last)s::bigint - 1) trade,
            generate_series(0, %(per)s - 1) step
    ) numbered
) alert
""".replace("UUID", _UUID.format(id="(n + 1)"))
)

TRADES = """
INSERT INTO trades (
    id, strategy_id, symbol, direction, quantity, entry_price, exit_price, entry_time,
    exit_time, point_value, commission, pnl, currency, created_at)
SELECT leave.trade_id, s.id, leave.symbol, 'long', 1, entry.price, leave.price,
    entry.order_time, leave.order_time, 1, 0, leave.price - entry.price, '', leave.processed_at
FROM webhook_logs leave
JOIN webhook_logs entry ON entry.id = leave.id - %(per)s + 1
JOIN strategies s ON s.name = leave.strategy
WHERE leave.id BETWEEN %(first)s::bigint * %(per)s + 1 AND %(last)s::bigint * %(per)s
    AND leave.trade_id IS NOT NULL
"""

LOTS = """
INSERT INTO open_positions (
    id, strategy_id, symbol, direction, quantity, entry_price, entry_time, entry_commission,
    status, entry_webhook_log_id, exit_webhook_log_id, trade_id)
SELECT t.id, t.strategy_id, t.symbol, t.direction, t.quantity, t.entry_price, t.entry_time, 0,
    'closed', (t.id - 1) * %(per)s + 1, t.id * %(per)s, t.id
FROM trades t WHERE t.id BETWEEN %(first)s + 1 AND %(last)s
"""

ALERTS_OF_OPEN_LOTS = (
    _LOGS
    + """
SELECT %(base)s + n, UUID, %(base)s + n,
    'order:' || encode(sha256(int8send(%(base)s + n)), 'hex'), 'processed', '', '', '{}', name,
    %(symbol)s::text, '{}', 'bench', '127.0.0.1', false, false, now(), now(), now(), 'long', 1,
    100.25, CASE lot WHEN 1 THEN 'opened' ELSE 'added' END, lot - 1, lot, '', '', false, NULL,
    name || chr(31) || %(symbol)s::text,
    lot + coalesce((SELECT max(place) FROM webhook_logs
        WHERE chain = name || chr(31) || %(symbol)s::text), 0),
    encode(sha256(int8send(%(base)s + n)), 'hex'), encode(sha256(int8send(-n)), 'hex')
FROM (
    SELECT book, lot, 'Strategy ' || book AS name,
        (lot - 1) * %(books)s::bigint + book + 1 AS n
    FROM generate_series(0, %(books)s - 1) book, generate_series(1, %(open_lots)s) lot
) open
""".replace("UUID", _UUID.format(id="(%(base)s + n)"))
)

OPEN_LOTS = """
INSERT INTO open_positions (
    strategy_id, symbol, direction, quantity, entry_price, entry_time, entry_commission, status,
    entry_webhook_log_id)
SELECT s.id, l.symbol, 'long', 1, 100.25, l.received_at, 0, 'open', l.id
FROM webhook_logs l JOIN strategies s ON s.name = l.strategy
WHERE l.id > %(base)s ORDER BY l.id
"""


ENTRIES = """
WITH RECURSIVE numbers(n) AS (
    SELECT 1 WHERE :count > 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count
), named AS (
    SELECT n, 'Strategy ' || CASE WHEN n > :all THEN (n - :all - 1) % :books
            ELSE (n - 1) / :per % :books END AS name,
        n <= :all AND (n - 1) % :per NOT IN (0, :per - 1) AND (n - 1) % 50 IN (7, 21) AS failed,
        strftime('%Y-%m-%d %H:%M:%f000', 'now',
            printf('-%d seconds', max(0, :all - n + 1) * :days * 86400 / :all)) AS at
    FROM numbers
)
INSERT INTO webhook_wal (
    id, correlation_id, body, envelope, book, status, attempts, last_error, received_at,
    settled_at, webhook_log_id, claimed_by)
SELECT n, printf('01%030x', n),
    CAST(printf('{"strategy":"%s","ticker":"%s","action":"buy","contracts":"1","time":"%s",'
        || '"comment":"crossover of two averages"}', name, :symbol, at) AS BLOB),
    '{"token": "bench", "address": "127.0.0.1", "strategies": [], "given_key": ""}',
    name || char(31) || :symbol, CASE failed WHEN 1 THEN 'failed' ELSE 'completed' END, 1, '',
    at, at, n, ''
FROM named
"""
