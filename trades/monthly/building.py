"""Summing trades up by month, a step at a time; run again, it takes what has been added since.

Nobody waits for it: trades that no month has yet are read as they are (trades.monthly.reading).
"""

from __future__ import annotations

import time
from typing import Final

from django.db import connection, transaction
from django.db.models import Max, Value

from trades.corrections import as_booked
from trades.models import Trade
from trades.monthly.models import MonthSums, SummedZone
from trades.monthly.reading import BY_BOOK_AND_DAY, DAYS, MEMORY, SUMS, rewritten

#: Trades that are worth a step; fewer are as soon read.
WORTH: Final = 5_000
#: Ids that one step goes on by at most.
_TOGETHER: Final = 250_000
#: Seconds to wait for the transactions that write trades; half a step's own time.
_PATIENCE: Final = 2.0

#: Any number that no other lock has.
_LOCK: Final = 7_402_331_911


def sum_up(zone: str) -> int:
    """Bring the months of a zone, as PostgreSQL names it, up to the trades there are.

    Returns how many trades were added to the months: 0 where they are too few to be worth
    it, or somebody else is at it.
    """
    known = SummedZone.objects.filter(pk=zone).values_list("up_to", "rewritten").first()
    up_to = known[0] if known and known[1] == _rewritten() else 0
    if len(Trade.objects.filter(pk__gt=up_to).order_by()[:WORTH].values("pk")) < WORTH:
        return 0
    settled = _settled()
    added = 0
    while (step := _step(zone, settled)) is not None:
        added += step
    if added:
        with connection.cursor() as cursor:
            # Of a zone it has not heard of, PostgreSQL expects no row, and reads them one by one.
            cursor.execute(f"ANALYZE month_sums ({', '.join(_KEY)})")
    return added


def forget() -> None:
    """Remove all months; the next `sum_up` begins anew."""
    with transaction.atomic():
        SummedZone.objects.all().delete()
        MonthSums.objects.all().delete()


def _settled() -> int:
    """An id up to which all trades there will ever be can be seen from now on.

    Ids are given out in order and appear as transactions end. Who has been given one holds
    the table's lock from before that on: once those who hold it after the id was seen are
    gone, so is whoever could still bring a smaller one. Nobody is held up.
    """
    until = time.monotonic() + _PATIENCE
    settled: int = Trade.objects.aggregate(last=Max("pk"))["last"] or 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' "
            "AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND pid IS DISTINCT FROM pg_backend_pid()",
            [Trade._meta.db_table],
        )
        writing = [name for (name,) in cursor.fetchall()]
        while writing:
            cursor.execute(
                "SELECT DISTINCT virtualtransaction FROM pg_locks "
                "WHERE virtualtransaction = ANY(%s)",
                [writing],
            )
            if not (writing := [name for (name,) in cursor.fetchall()]):
                break
            if time.monotonic() > until:
                return 0
            time.sleep(0.01)  # Nothing tells when a transaction has ended.
    return settled


def _rewritten() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {rewritten()}")
        return int(cursor.fetchone()[0])


# Of the months that the new trades lie in, the days are put together anew.
_STEP: Final = """
WITH added AS MATERIALIZED ({added}),
by_group AS MATERIALIZED (
    SELECT coalesce(strategy_id, 0) AS strategy_id, coalesce(symbol, '') AS symbol, currency, day,
        date_trunc('month', day::timestamp)::date AS month, {sums}
    FROM added
    GROUP BY GROUPING SETS (
        (currency, day), (currency, strategy_id, day), (currency, symbol, day),
        (currency, strategy_id, symbol, day)
    )
),
days AS (
    SELECT strategy_id, symbol, currency, month, day, {sums}
    FROM (
        SELECT * FROM by_group
        UNION ALL
        SELECT strategy_id, symbol, currency, of_day.day, month, of_day.trades, of_day.wins,
            of_day.losses, of_day.profit, of_day.net, of_day.discrepancies
        FROM month_sums
        JOIN (SELECT DISTINCT strategy_id, symbol, currency, month FROM by_group) AS touched
            USING (strategy_id, symbol, currency, month), {days}
        WHERE zone = %s
    ) AS found
    GROUP BY strategy_id, symbol, currency, month, day
),
risen AS (
    SELECT *, sum(net) OVER earlier AS equity
    FROM days
    WINDOW earlier AS (
        PARTITION BY strategy_id, symbol, currency, month ORDER BY day ROWS UNBOUNDED PRECEDING
    )
),
fallen AS (
    SELECT *, greatest(0, max(equity) OVER earlier) - equity AS fall
    FROM risen
    WINDOW earlier AS (
        PARTITION BY strategy_id, symbol, currency, month ORDER BY day ROWS UNBOUNDED PRECEDING
    )
)
INSERT INTO month_sums ({columns})
SELECT %s, strategy_id, symbol, currency, month, array_agg(day ORDER BY day),
    array_agg(trades ORDER BY day), array_agg(wins ORDER BY day), array_agg(losses ORDER BY day),
    array_agg(profit ORDER BY day), array_agg(net ORDER BY day),
    array_agg(discrepancies ORDER BY day), {sums}, greatest(0, max(equity)),
    least(0, min(equity)), max(fall), sum(net * net)
FROM fallen
GROUP BY strategy_id, symbol, currency, month
ON CONFLICT (zone, strategy_id, symbol, currency, month) DO UPDATE SET {changes}
"""

_KEY: Final = ("zone", "strategy_id", "symbol", "currency", "month")


def _step(zone: str, settled: int) -> int | None:
    """Add the next trades up to `settled`; how many, or None where there is nothing to do."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return None
        # Before the trades are read: what is written over meanwhile counts as not seen.
        now = _rewritten()
        known = SummedZone.objects.filter(pk=zone).first()
        if known is not None and known.rewritten != now:
            MonthSums.objects.filter(zone=zone).delete()
            known = None
        begin = known.up_to if known else 0
        end = min(settled, begin + _TOGETHER)
        if begin >= end:
            return None
        trades = Trade.objects.filter(pk__gt=begin, pk__lte=end)
        statement, parameters = (
            as_booked(trades)
            .annotate(sign=Value(1))
            .values(
                "currency", "strategy_id", "symbol", "exit_time", "counted_pnl",
                "is_discrepant", "sign",
            )
            .query.sql_with_params()
        )  # fmt: skip
        columns = [
            str(field.column) for field in MonthSums._meta.concrete_fields if field.name != "id"
        ]
        query = _STEP.format(
            added=BY_BOOK_AND_DAY.format(trades=statement),
            sums=SUMS,
            days=DAYS,
            columns=", ".join(columns),
            changes=", ".join(f"{name} = excluded.{name}" for name in columns if name not in _KEY),
        )
        cursor.execute("SELECT set_config('work_mem', %s, true)", [MEMORY])
        cursor.execute(query, [zone, *parameters, zone, zone])
        SummedZone.objects.update_or_create(pk=zone, defaults={"up_to": end, "rewritten": now})
        return trades.count()
