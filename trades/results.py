"""How trades turned out, summed up in the database.

One pass over the trades, however many: what comes back is as long as the range has days
and the log has strategies and symbols. Money of different currencies is never summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet

from trades.corrections import counted
from trades.models import Strategy, Trade
from trades.monthly import reading as monthly
from trades.monthly.reading import MEMORY, Chosen
from trades.performance import Step, Tally, sharpe_of_sums, total

#: Up to this many trades every moment of exit is a step of the equity; above it every day.
MOST_SINGLE_STEPS: Final = 2000


@dataclass(frozen=True, slots=True)
class Group:
    """The trades of one strategy, or on one symbol."""

    name: str
    tally: Tally
    #: As trades.performance has them; the drawdown is seen at the steps.
    max_drawdown: Decimal
    sharpe: Decimal | None
    #: As trades.corrections.DISCREPANT has them.
    discrepancies: int


@dataclass(slots=True)
class Results:
    """The trades of one currency."""

    #: "" where the alerts told none.
    currency: str
    #: In order of time.
    steps: list[Step] = field(default_factory=list)
    #: Most trades first.
    strategies: list[Group] = field(default_factory=list)
    symbols: list[Group] = field(default_factory=list)
    discrepancies: int = 0

    @property
    def total(self) -> Tally:
        return total(step.tally for step in self.steps)


def results(trades: QuerySet[Trade], zone: tzinfo) -> list[Results]:
    """How these trades turned out, by currency, the one with most trades first.

    `zone` is whose midnight begins a day; PostgreSQL must know its name.
    """
    return _gathered(_summed_up(trades, zone, has_many=_has_many(trades)), zone)


def results_of(chosen: Chosen, zone: tzinfo) -> list[Results]:
    """The same of the trades of these days; as fast for a million where months are summed up."""
    trades = chosen.trades(zone)
    has_many = _has_many(trades)
    rows = monthly.read(chosen, zone) if has_many else None
    return _gathered(_summed_up(trades, zone, has_many=has_many) if rows is None else rows, zone)


def _gathered(rows: Iterable[tuple[Any, ...]], zone: tzinfo) -> list[Results]:
    by_currency: dict[str, Results] = {}
    names: dict[int, str] = dict(Strategy.objects.values_list("id", "name"))
    for row in map(_Row.of, rows):
        of_currency = by_currency.setdefault(row.currency, Results(row.currency))
        if row.day is not None:
            moment = row.moment or datetime.combine(row.day, time.min, zone)
            of_currency.steps.append(Step(moment, row.tally))
            of_currency.discrepancies += row.discrepancies
        elif row.symbol is not None:
            of_currency.symbols.append(row.group(row.symbol))
        elif row.strategy_id is not None:
            of_currency.strategies.append(row.group(names[row.strategy_id]))
    return sorted(by_currency.values(), key=lambda each: (-each.total.trades, each.currency))


@dataclass(frozen=True, slots=True)
class _Row:
    """A step, if it has a day; else a strategy or a symbol."""

    currency: str
    strategy_id: int | None
    symbol: str | None
    day: date | None
    #: None where the step is the whole day.
    moment: datetime | None
    tally: Tally
    discrepancies: int
    #: Of a strategy or symbol: what its numbers over time are made of.
    drawdown: Decimal | None
    squares: Decimal | None
    days: int | None

    @classmethod
    def of(cls, columns: tuple[Any, ...]) -> _Row:
        currency, strategy_id, symbol, day, moment, *sums, drawdown, squares, days = columns
        *tally, discrepancies = sums
        return cls(
            currency, strategy_id, symbol, day, moment, Tally(*tally), discrepancies, drawdown,
            squares, days,
        )  # fmt: skip

    def group(self, name: str) -> Group:
        assert self.drawdown is not None and self.squares is not None and self.days is not None
        sharpe = sharpe_of_sums(self.tally.net, self.squares, days=self.days)
        return Group(name, self.tally, self.drawdown, sharpe, self.discrepancies)


_QUERY: Final = """
WITH counted AS ({trades}),
-- The one pass over the trades; everything else is made of its rows.
steps AS MATERIALIZED (
    SELECT currency, strategy_id, symbol, day, moment,
        count(*)::int AS trades,
        (count(*) FILTER (WHERE counted_pnl > 0))::int AS wins,
        (count(*) FILTER (WHERE counted_pnl < 0))::int AS losses,
        coalesce(sum(counted_pnl) FILTER (WHERE counted_pnl > 0), 0) AS profit,
        sum(counted_pnl) AS net,
        (count(*) FILTER (WHERE is_discrepant))::int AS discrepancies
    FROM (SELECT *, (exit_time AT TIME ZONE %s)::date AS day, {moment} AS moment FROM counted) dated
    GROUP BY currency, strategy_id, symbol, day, moment
),
tallies AS (
    SELECT currency, strategy_id, symbol, day, moment, sum(trades) AS trades, sum(wins) AS wins,
        sum(losses) AS losses, sum(profit) AS profit, sum(profit) - sum(net) AS loss,
        sum(discrepancies) AS discrepancies
    FROM steps
    GROUP BY GROUPING SETS
        ((currency, day, moment), (currency, strategy_id), (currency, symbol))
),
nets AS (
    SELECT currency, strategy_id, symbol, day, moment, sum(net) AS net
    FROM steps
    GROUP BY GROUPING SETS
        ((currency, strategy_id, day, moment), (currency, symbol, day, moment))
),
risen AS (
    SELECT *, sum(net) OVER earlier AS equity
    FROM nets
    WINDOW earlier AS (
        PARTITION BY currency, strategy_id, symbol ORDER BY day, moment ROWS UNBOUNDED PRECEDING
    )
),
fallen AS (
    SELECT *, greatest(0, max(equity) OVER earlier) - equity AS drawdown
    FROM risen
    WINDOW earlier AS (
        PARTITION BY currency, strategy_id, symbol ORDER BY day, moment ROWS UNBOUNDED PRECEDING
    )
),
daily AS (
    SELECT currency, strategy_id, symbol, day, sum(net) AS net, max(drawdown) AS drawdown
    FROM fallen
    GROUP BY currency, strategy_id, symbol, day
),
lasting AS (
    SELECT currency, strategy_id, symbol, max(drawdown) AS drawdown, sum(net * net) AS squares,
        max(day) - min(day) + 1 AS days
    FROM daily
    GROUP BY currency, strategy_id, symbol
)
SELECT tallies.currency, tallies.strategy_id, tallies.symbol, day, moment,
    trades, wins, losses, profit, loss, discrepancies, drawdown, squares, days
FROM tallies LEFT JOIN lasting
    ON tallies.day IS NULL AND tallies.currency = lasting.currency
    AND (tallies.strategy_id = lasting.strategy_id OR tallies.symbol = lasting.symbol)
ORDER BY day, moment, trades DESC, strategy_id, symbol
"""


def _has_many(trades: QuerySet[Trade]) -> bool:
    return counted(trades).values("pk")[MOST_SINGLE_STEPS:].exists()


def _summed_up(
    trades: QuerySet[Trade], zone: tzinfo, *, has_many: bool
) -> Sequence[tuple[Any, ...]]:
    rows: QuerySet[Any] = counted(trades)
    statement, parameters = rows.values(
        "currency", "strategy_id", "symbol", "exit_time", "counted_pnl", "is_discrepant"
    ).query.sql_with_params()
    query = _QUERY.format(trades=statement, moment="NULL::timestamptz" if has_many else "exit_time")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [MEMORY])
        cursor.execute(query, [*parameters, str(zone)])
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
