"""Strategies, and the trades they made."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from trades.columns import ExactField
from trades.direction import Direction
from trades.point_values import point_value


class Strategy(models.Model):
    """A strategy as its alerts name it; made when its first alert comes."""

    name = models.CharField(max_length=100, unique=True)
    enabled = models.BooleanField(
        default=True, help_text="Alerts of a disabled strategy are kept as failed, never applied."
    )
    default_quantity = ExactField(
        default=Decimal(1), help_text="Contracts of an entry whose alert names no quantity."
    )
    point_value = ExactField(
        null=True,
        blank=True,
        help_text=(
            "Worth of one point of price for one contract, in quote currency. "
            "Empty: the built-in table of futures by symbol, and 1 for everything else."
        ),
    )
    muted = models.BooleanField(default=False, help_text="No alarm is raised about it.")
    silence_hours = models.PositiveIntegerField(
        "silent after",
        null=True,
        blank=True,
        help_text=(
            "Hours without an alert after which an alarm is raised. "
            "Empty: by how often it usually sends one; 0: never."
        ),
    )
    failure_rate = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        null=True,
        blank=True,
        help_text=(
            "The share of its alerts, from 0 to 1, that may be refused before an alarm is raised. "
            "Empty: as ALERT_FAILURE_RATE says."
        ),
    )
    tell_trades = models.BooleanField(
        "tell its trades",
        null=True,
        blank=True,
        help_text="A message for each entry, exit and reversal. Unknown: as ALERT_TRADES says.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "strategies"
        verbose_name_plural = "strategies"
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                condition=Q(default_quantity__gt=0), name="strategy_default_quantity_positive"
            ),
            models.CheckConstraint(
                condition=Q(point_value__isnull=True) | Q(point_value__gt=0),
                name="strategy_point_value_positive",
            ),
            models.CheckConstraint(
                condition=Q(failure_rate__isnull=True) | Q(failure_rate__range=(0, 1)),
                name="strategy_failure_rate_is_a_share",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def point_value_of(self, symbol: str) -> Decimal:
        """What one point is worth for one contract of this symbol, in quote currency."""
        return point_value(symbol) if self.point_value is None else self.point_value


class Trade(models.Model):
    """One closed lot: its entry, its exit and what it made. Never edited or deleted."""

    # Without an index of its own: two of those below begin with it.
    strategy = models.ForeignKey(
        Strategy, on_delete=models.PROTECT, related_name="trades", db_index=False
    )
    symbol = models.CharField(max_length=100)
    direction = models.CharField(max_length=5, choices=Direction.choices)
    quantity = ExactField()
    entry_price = ExactField()
    exit_price = ExactField()
    entry_time = models.DateTimeField(help_text="UTC; the entry order's own time.")
    exit_time = models.DateTimeField(help_text="UTC; the exit order's own time.")
    #: Kept with the trade, so that a later change of the strategy's does not rewrite history.
    point_value = ExactField(default=Decimal(1))
    commission = ExactField(default=Decimal(0), help_text="Of entry and exit together.")
    pnl = ExactField(help_text="Price difference × quantity × point value − commission.")
    pnl_reported = ExactField(
        null=True,
        blank=True,
        help_text="As the exit alert told it; shared by quantity where it closed several lots.",
    )
    pnl_discrepancy = ExactField(
        null=True,
        blank=True,
        help_text="Reported minus calculated, where that is past PNL_TOLERANCE; else empty.",
    )
    currency = models.CharField(max_length=20, default="", blank=True)
    #: What brought a trade in that no alert made; it has no lot.
    import_batch = models.ForeignKey(
        "ImportBatch", on_delete=models.PROTECT, null=True, blank=True, related_name="trades"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "trades"
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["strategy", "symbol", "id"], name="trades_by_book"),
            models.Index(fields=["exit_time"], name="trades_by_exit_time"),
            models.Index(fields=["pnl", "id"], name="trades_by_pnl"),
            models.Index(
                fields=["-id"],
                name="trades_with_discrepancy",
                condition=Q(pnl_discrepancy__isnull=False),
            ),
            models.Index(
                fields=["-id"],
                name="trades_exit_before_entry",
                condition=Q(exit_time__lt=F("entry_time")),
            ),
            models.Index(fields=["strategy", "symbol", "exit_time"], name="trades_of_book_by_exit"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(direction__in=Direction.values), name="trade_direction_known"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, entry_price__gt=0, exit_price__gt=0, point_value__gt=0),
                name="trade_amounts_positive",
            ),
            # Two alerts may well make two such trades; a list of trades is taken together.
            models.UniqueConstraint(
                fields=[
                    "strategy", "symbol", "direction", "quantity",
                    "entry_time", "entry_price", "exit_time", "exit_price",
                ],
                condition=Q(import_batch__isnull=False),
                name="trade_imported_once",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.direction} {self.quantity} {self.symbol}"


class ImportBatch(models.Model):
    """Trades that one export of TradingView's brought in, together. Never deleted.

    Undone, its trades are gone, and the batch tells what they were.
    """

    imported_at = models.DateTimeField(auto_now_add=True, help_text="UTC.")
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="imports",
        help_text="Empty: the command line.",
    )
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField("SHA-256 of the file", max_length=64)
    strategy = models.ForeignKey(Strategy, on_delete=models.PROTECT, related_name="imports")
    symbol = models.CharField(max_length=100)
    time_zone = models.CharField(max_length=64, help_text="In which the file's times were read.")
    bar = models.DurationField(
        "longest bar",
        default=timedelta(minutes=1),
        db_default=timedelta(minutes=1),
        help_text="No bar of the chart was longer: what its trades began and ended in.",
    )
    #: How many trades it brought in, undone or not.
    count = models.PositiveIntegerField()
    undone_at = models.DateTimeField(null=True, blank=True, help_text="UTC.")
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="undone_imports",
        help_text="Empty: the command line.",
    )
    #: The rows that undoing removed, whole, as they were.
    removed = models.JSONField(default=list, blank=True)

    class Meta:
        db_table = "import_batches"
        verbose_name = "import"
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(condition=Q(count__gt=0), name="import_brought_trades"),
        ]

    def __str__(self) -> str:
        return f"import {self.pk} ({self.file_name})"


class Correction(models.Model):
    """What a trade should have said: who says so, and why. The trade itself stays as it is.

    Sums count the trade by its correction that stands; a later one replaces it and both
    stay. Never edited or deleted.
    """

    trade = models.ForeignKey(Trade, on_delete=models.PROTECT, related_name="corrections")
    made_at = models.DateTimeField(auto_now_add=True, help_text="UTC.")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="corrections"
    )
    reason = models.TextField()
    #: The trade as it should be, whole; a quantity of 0 means that there was none.
    quantity = ExactField()
    entry_price = ExactField()
    exit_price = ExactField()
    #: Empty in those from before a correction could say it: the trade's own.
    stated_point_value = ExactField(null=True, db_column="point_value")
    commission = ExactField()
    #: What follows from them, by the trade's own direction.
    pnl = ExactField()
    #: Whether it is the trade's latest, the one that counts.
    stands = models.BooleanField(default=True)

    class Meta:
        db_table = "corrections"
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["trade"], condition=Q(stands=True), name="correction_one_stands"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=0, entry_price__gt=0, exit_price__gt=0),
                name="correction_amounts_sensible",
            ),
            models.CheckConstraint(
                condition=Q(stated_point_value__isnull=True) | Q(stated_point_value__gt=0),
                name="correction_point_value_positive",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="correction_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"correction {self.pk} of trade {self.trade_id}"

    @property
    def point_value(self) -> Decimal:
        """What one point is worth for one contract, in quote currency."""
        stated = self.stated_point_value
        counts: Decimal = self.trade.point_value if stated is None else stated
        return counts


# Django looks for models here.
from trades.monthly.models import MonthSums, SummedZone  # noqa: E402, F401
