"""Lots: one row an entry."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q

from trades.columns import ExactField
from trades.direction import Direction
from trades.models import Strategy, Trade


class LotStatus(models.TextChoices):
    OPEN = "open", "open"
    CLOSED = "closed", "closed"


class Lot(models.Model):
    """A quantity that was entered at one price by one alert.

    A partial exit splits it: the closed part becomes a row of its own, and the
    open rest keeps this row and with it its place in the queue. The lots of one
    entry alert always add up to what that alert opened.
    """

    # Without an index of its own: one of those below begins with it.
    strategy = models.ForeignKey(
        Strategy, on_delete=models.PROTECT, related_name="lots", db_index=False
    )
    symbol = models.CharField(max_length=100)
    direction = models.CharField(max_length=5, choices=Direction.choices)
    quantity = ExactField()
    entry_price = ExactField()
    entry_time = models.DateTimeField(help_text="UTC; the entry order's own time.")
    #: What is left of the entry's commission, in quote currency.
    entry_commission = ExactField(default=Decimal(0))
    #: As the entry alert told it; its exits need not tell it again.
    currency = models.CharField(max_length=20, default="", db_default="", blank=True)
    status = models.CharField(max_length=6, choices=LotStatus.choices, default=LotStatus.OPEN)
    #: The one its trade was made with; None while it is open, and where it was closed before
    #: lots kept it.
    point_value = ExactField(null=True, blank=True)
    # By name: positions stands below webhooks and does not import it. Only the
    # database knows that the arrow goes up here, as the audit trail wants it.
    entry_webhook_log = models.ForeignKey(
        "webhooks.WebhookLog", on_delete=models.PROTECT, related_name="lots_entered"
    )
    exit_webhook_log = models.ForeignKey(
        "webhooks.WebhookLog",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="lots_exited",
    )
    trade = models.OneToOneField(
        Trade, on_delete=models.PROTECT, null=True, blank=True, related_name="lot"
    )

    class Meta:
        db_table = "open_positions"
        verbose_name = "position lot"
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=["strategy", "symbol", "id"],
                name="lots_open_by_book",
                condition=Q(status="open"),
            ),
            models.Index(fields=["strategy", "symbol", "id"], name="lots_by_book"),
            models.Index(fields=["entry_time"], name="lots_by_entry_time"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(direction__in=Direction.values), name="lot_direction_known"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, entry_price__gt=0), name="lot_amounts_positive"
            ),
            models.CheckConstraint(
                # That a closed lot has its trade is left to reconciliation to prove.
                condition=Q(status="open", exit_webhook_log__isnull=True, trade__isnull=True)
                | Q(status="closed", exit_webhook_log__isnull=False),
                name="lot_closed_by_an_alert",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.direction} {self.quantity} {self.symbol}"


class Reconciliation(models.Model):
    """What one `reconcile_positions --fix` changed in one book, or by one log entry.

    Never edited or deleted.
    """

    happened_at = models.DateTimeField(auto_now_add=True, help_text="UTC.")
    #: None: by a log entry that nobody can read, or whose strategy there is not.
    strategy = models.ForeignKey(
        Strategy,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reconciliations",
    )
    symbol = models.CharField(max_length=100)
    #: What was found, as the command prints it.
    findings = models.JSONField()
    #: By table: every row that was changed or removed, whole, as it was.
    before = models.JSONField()
    #: By table: every row that was changed or added, whole, as it is since.
    after = models.JSONField()

    class Meta:
        db_table = "reconciliations"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"reconciliation {self.pk} of {self.symbol}"
