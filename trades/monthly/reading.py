"""Reading trades summed up: whole months from their rows, days from the days in them.

What the rows do not have is added: trades since, and what corrections change. A row cannot
be out of date: trades are added with ever larger ids (trades.monthly.building), and where
they are taken away or written over, which importing's undo and `reconcile_positions --fix`
alone do, the same transaction leaves a record that is counted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet, Value

from trades.corrections import as_booked, counted
from trades.models import Strategy, Trade
from trades.monthly.models import SummedZone
from trades.period import Period

#: For the sums of a query; with less, those of many trades are sorted on disk.
MEMORY: Final = "64MB"


@dataclass(frozen=True, slots=True)
class Chosen(Period):
    """The trades closed in a period."""

    #: None and "" for all.
    strategy_id: int | None = None
    symbol: str = ""

    def trades(self, zone: tzinfo) -> QuerySet[Trade]:
        """They themselves; `zone` is whose midnight begins a day."""
        since, until = self.bounds(zone)
        trades = Trade.objects.filter(exit_time__gte=since, exit_time__lt=until)
        if self.strategy_id is not None:
            trades = trades.filter(strategy=self.strategy_id)
        return trades.filter(symbol=self.symbol) if self.symbol else trades


def rewritten() -> str:
    """How often trades have been taken away or written over, as an expression in SQL."""
    # Positions stand above trades, which know their corrections by relation only.
    reconciliations = Strategy._meta.get_field("reconciliations").related_model._meta.db_table
    return (
        "((SELECT count(*) FROM import_batches WHERE undone_at IS NOT NULL)"
        f" + (SELECT count(*) FROM {reconciliations}))"
    )


#: Trades by book and day; a `sign` of -1 takes a trade away.
BY_BOOK_AND_DAY: Final = """
    SELECT currency, strategy_id, symbol, (exit_time AT TIME ZONE %s)::date AS day,
        sum(sign) AS trades,
        coalesce(sum(sign) FILTER (WHERE counted_pnl > 0), 0) AS wins,
        coalesce(sum(sign) FILTER (WHERE counted_pnl < 0), 0) AS losses,
        coalesce(sum(sign * counted_pnl) FILTER (WHERE counted_pnl > 0), 0) AS profit,
        sum(sign * counted_pnl) AS net,
        coalesce(sum(sign) FILTER (WHERE is_discrepant), 0) AS discrepancies
    FROM ({trades}) AS trades
    GROUP BY currency, strategy_id, symbol, day
"""

#: Days of months as they stand in their arrays.
DAYS: Final = """unnest(days, trades_by_day, wins_by_day, losses_by_day, profit_by_day,
            net_by_day, discrepancies_by_day)
        AS of_day (day, trades, wins, losses, profit, net, discrepancies)"""

#: The same of whatever holds them.
SUMS: Final = (
    "sum(trades)::int AS trades, sum(wins)::int AS wins, sum(losses)::int AS losses, "
    "sum(profit) AS profit, sum(net) AS net, sum(discrepancies)::int AS discrepancies"
)

#: What is shown is of a strategy, of a symbol, or (0 and '') of all that were chosen.
_QUERY: Final = """
WITH changes AS MATERIALIZED ({changes}),
changed AS MATERIALIZED (
    SELECT coalesce(strategy_id, 0) AS of_strategy, coalesce(symbol, '') AS of_symbol, currency,
        day, {sums}
    FROM changes
    GROUP BY GROUPING SETS
        ((currency, day), (currency, strategy_id, day), (currency, symbol, day))
),
kept AS NOT MATERIALIZED (
    SELECT 0::bigint AS of_strategy, '' AS of_symbol, * FROM month_sums
    WHERE zone = %s AND strategy_id = {strategy} AND symbol = {symbol}
        AND month BETWEEN %s AND %s
    UNION ALL
    SELECT strategy_id, '', * FROM month_sums
    WHERE zone = %s AND symbol = {symbol} AND {strategies} AND month BETWEEN %s AND %s
    UNION ALL
    SELECT 0, symbol, * FROM month_sums
    WHERE zone = %s AND strategy_id = {strategy} AND {symbols} AND month BETWEEN %s AND %s
),
-- Those that are not shown whole: all of whose days are not chosen, or some have changed.
parted AS MATERIALIZED (
    SELECT DISTINCT of_strategy, of_symbol, currency,
        date_trunc('month', day::timestamp)::date AS month
    FROM changed
    UNION
    SELECT of_strategy, of_symbol, currency, month FROM kept
    WHERE of_strategy = 0 AND of_symbol = '' OR month < %s
        OR (month + interval '1 month')::date - 1 > %s
),
days AS MATERIALIZED (
    SELECT of_strategy, of_symbol, currency, day, {sums}
    FROM (
        SELECT of_strategy, of_symbol, currency, of_day.*
        FROM kept JOIN parted USING (of_strategy, of_symbol, currency, month), {days}
        WHERE day BETWEEN %s AND %s
        UNION ALL
        SELECT of_strategy, of_symbol, currency, day, trades, wins, losses, profit, net,
            discrepancies
        FROM changed
    ) AS found
    GROUP BY of_strategy, of_symbol, currency, day
    HAVING sum(trades) > 0
),
-- In order of time, months and days alike: each has its own way from 0.
stretches AS (
    SELECT of_strategy, of_symbol, currency, days[1] AS first, days[cardinality(days)] AS last,
        trades, wins, losses, profit, net, discrepancies, peak, trough, drawdown, squares
    FROM kept
    WHERE NOT EXISTS (
        SELECT FROM parted
        WHERE (parted.of_strategy, parted.of_symbol, parted.currency, parted.month)
            = (kept.of_strategy, kept.of_symbol, kept.currency, kept.month)
    )
    UNION ALL
    SELECT of_strategy, of_symbol, currency, day, day, trades, wins, losses, profit, net,
        discrepancies, greatest(0, net), least(0, net), greatest(0, -net), net * net
    FROM days
    WHERE of_strategy <> 0 OR of_symbol <> ''
),
begun AS (
    SELECT *, sum(net) OVER earlier - net AS equity
    FROM stretches
    WINDOW earlier AS (
        PARTITION BY of_strategy, of_symbol, currency ORDER BY first ROWS UNBOUNDED PRECEDING
    )
),
-- Either a fall lies within a stretch, or it began at a peak of an earlier one.
fallen AS (
    SELECT *, greatest(drawdown, greatest(0, max(equity + peak) OVER before) - equity - trough)
        AS deepest
    FROM begun
    WINDOW before AS (
        PARTITION BY of_strategy, of_symbol, currency ORDER BY first
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
shown AS (
    SELECT currency, NULL::bigint AS strategy_id, NULL AS symbol, day,
        NULL::timestamptz AS moment, trades, wins, losses, profit, profit - net AS loss,
        discrepancies, NULL::numeric AS drawdown, NULL::numeric AS squares,
        NULL::int AS number_of_days
    FROM days WHERE of_strategy = 0 AND of_symbol = ''
    UNION ALL
    SELECT currency, nullif(of_strategy, 0), nullif(of_symbol, ''), NULL, NULL,
        sum(trades)::int, sum(wins)::int, sum(losses)::int, sum(profit), sum(profit) - sum(net),
        sum(discrepancies)::int, max(deepest), sum(squares), max(last) - min(first) + 1
    FROM fallen
    GROUP BY of_strategy, of_symbol, currency
)
SELECT shown.* FROM shown
JOIN summed_zones ON zone = %s AND up_to = %s AND rewritten = {rewritten}
ORDER BY day, moment, trades DESC, strategy_id, symbol
"""


def read(chosen: Chosen, zone: tzinfo) -> Sequence[tuple[Any, ...]] | None:
    """The days, strategies and symbols of these trades, as trades.results asks for them.

    None where the zone's months are not summed up, or not as the trades are now.
    """
    known = SummedZone.objects.filter(pk=str(zone)).values_list("up_to", flat=True).first()
    if known is None:
        return None
    trades, parameters = _changes(chosen.trades(zone), known)
    name, first, last = str(zone), chosen.first, chosen.last
    # Ours and not a user's: a number, and the parameter that comes with it.
    strategy, of_strategy = chosen.strategy_id or 0, chosen.strategy_id is not None
    months: list[object] = [first.replace(day=1), last]
    on_symbol = [chosen.symbol] if chosen.symbol else []
    query = _QUERY.format(
        changes=BY_BOOK_AND_DAY.format(trades=trades),
        sums=SUMS,
        days=DAYS,
        strategy=strategy,
        symbol="%s",
        strategies=f"strategy_id = {strategy}" if of_strategy else "strategy_id > 0",
        symbols="symbol = %s" if on_symbol else "symbol > ''",
        rewritten=rewritten(),
    )
    values = [
        *(name, *parameters),
        *(name, chosen.symbol, *months),
        *(name, chosen.symbol, *months),
        *(name, *on_symbol, *months),
        *(first, last, first, last, name, known),
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [MEMORY])
        # All of it sees one moment, and nothing where what is known above has changed by then.
        cursor.execute(query, values)
        return cursor.fetchall() or None


_COLUMNS: Final = (
    "currency", "strategy_id", "symbol", "exit_time", "counted_pnl", "is_discrepant", "sign",
)  # fmt: skip


def _changes(trades: QuerySet[Trade], up_to: int) -> tuple[str, tuple[Any, ...]]:
    """What the months do not have of these trades, as SQL and its parameters."""
    corrected = trades.filter(pk__lte=up_to, corrections__stands=True)
    parts: list[QuerySet[Any, Any]] = [
        counted(trades.filter(pk__gt=up_to)).annotate(sign=Value(1)),
        counted(corrected).annotate(sign=Value(1)),
        as_booked(corrected).annotate(sign=Value(-1)),
    ]
    found = [part.values(*_COLUMNS).query.sql_with_params() for part in parts]
    columns = ", ".join(_COLUMNS)
    statement = " UNION ALL ".join(
        f"SELECT {columns} FROM ({part}) AS part{number}" for number, (part, _) in enumerate(found)
    )
    return statement, tuple(value for _, values in found for value in values)
