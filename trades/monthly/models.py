"""Trades summed up by month, so that years of them are shown at once.

Nothing is told here that the trades do not tell: `manage.py sum_up_trades --anew` makes all
of it from them.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from trades.columns import ExactField


class SummedZone(models.Model):
    """A time zone whose months are summed up: with its trades up to which, as they stood when.

    Trades that were added since are not in its months, and none of any correction is.
    """

    zone = models.CharField(max_length=64, primary_key=True)
    #: Every trade with an id up to this is in the months, and no other.
    up_to = models.BigIntegerField()
    #: How often trades had been taken away or written over by then (trades.monthly.reading).
    rewritten = models.BigIntegerField()
    summed_at = models.DateTimeField(auto_now=True, help_text="UTC.")

    class Meta:
        db_table = "summed_zones"

    def __str__(self) -> str:
        return f"{self.zone} up to trade {self.up_to}"


class MonthSums(models.Model):
    """The trades of one currency that were closed in one month of a zone's calendar.

    There is a row for each strategy on each symbol, for each strategy and for each symbol on
    all of the others, and for all trades.
    """

    id: Any = models.BigAutoField(primary_key=True)
    zone = models.CharField(max_length=64)
    #: 0 and "": on all of them.
    strategy_id = models.BigIntegerField(default=0)
    symbol = models.CharField(max_length=100, default="")
    currency = models.CharField(max_length=20)
    #: Its first day.
    month = models.DateField()

    #: The days with trades, and then day by day and in all what trades.performance.Tally has.
    days: Any = ArrayField(models.DateField())
    trades_by_day: Any = ArrayField(models.IntegerField())
    wins_by_day: Any = ArrayField(models.IntegerField())
    losses_by_day: Any = ArrayField(models.IntegerField())
    profit_by_day: Any = ArrayField(ExactField())
    net_by_day: Any = ArrayField(ExactField())
    discrepancies_by_day: Any = ArrayField(models.IntegerField())
    trades = models.IntegerField()
    wins = models.IntegerField()
    losses = models.IntegerField()
    profit = ExactField()
    net = ExactField()
    discrepancies = models.IntegerField()

    #: The equity at the ends of days, from 0 at the month's start: highest, lowest (0 is one
    #: of them), the largest fall; and the sum of the squares of what each day brought.
    peak = ExactField()
    trough = ExactField()
    drawdown = ExactField()
    squares = ExactField()

    class Meta:
        db_table = "month_sums"
        constraints = [
            models.UniqueConstraint(
                fields=["zone", "strategy_id", "symbol", "currency", "month"],
                name="month_summed_once",
            )
        ]
        indexes = [
            models.Index(fields=["zone", "symbol", "strategy_id"], name="months_by_symbol"),
        ]

    def __str__(self) -> str:
        return f"{self.month} of {self.strategy_id or 'all'} on {self.symbol or 'all'}"
