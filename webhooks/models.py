"""The audit trail of alerts: what each said, what it did, why it did not."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q

from trades.columns import ExactField
from trades.direction import Direction
from trades.models import Trade
from wal.arrival import had_at


class LogStatus(models.TextChoices):
    """What became of an alert. Duplicates have no row of their own: they point to the first."""

    PROCESSED = "processed", "processed"
    PARKED = "parked", "parked"
    REJECTED = "rejected", "rejected"
    FAILED = "failed", "failed"


class WebhookLog(models.Model):
    """One alert and its one effect. Never edited or deleted by hand."""

    #: The log entry's own name. Ids of the log start again if its database is
    #: replaced; this never does, so it tells whether an entry was applied before.
    correlation_id = models.UUIDField(unique=True)
    wal_id = models.BigIntegerField(db_index=True)
    # In the order of its bytes, so that its one index finds the beginnings of keys as well.
    idempotency_key = models.CharField(max_length=300, unique=True, db_collation="C")
    status = models.CharField(max_length=9, choices=LogStatus.choices)
    error_code = models.CharField(max_length=40, default="", blank=True)
    error_message = models.TextField(default="", blank=True)
    #: What is wrong with each field, by the field's name.
    error_fields = models.JSONField(default=dict, blank=True)
    strategy = models.CharField(max_length=100, default="", blank=True)
    symbol = models.CharField(max_length=100, default="", blank=True)
    #: The body as it came, secrets cut out.
    payload = models.TextField()
    #: The token's name, never the token.
    token_name = models.CharField(max_length=100, default="", blank=True)
    source_address = models.GenericIPAddressField(null=True, blank=True)
    is_test = models.BooleanField(default=False)
    via_mail = models.BooleanField(
        default=False, help_text="It came by mail, and its webhook had not come by then."
    )
    received_at = models.DateTimeField(help_text="UTC; when the request came in.")
    processed_at = models.DateTimeField(help_text="UTC; when its effect, or its end, was written.")
    order_time = models.DateTimeField(
        null=True, blank=True, help_text="UTC; the order's own time where the alert tells it."
    )
    direction = models.CharField(max_length=5, choices=Direction.choices, default="", blank=True)
    #: Contracts closed and opened by it; empty where it had no effect.
    quantity = ExactField(null=True, blank=True)
    price = ExactField(null=True, blank=True)
    #: opened, added, reduced, closed or reversed; empty where it had no effect. A test has what it
    #: would have done.
    action = models.CharField(max_length=10, default="", blank=True)
    #: The book's signed position around the order, and TradingView's own view of it.
    position_before = ExactField(null=True, blank=True)
    position_after = ExactField(null=True, blank=True)
    tradingview_before = models.CharField(max_length=60, default="", blank=True)
    tradingview_after = models.CharField(max_length=60, default="", blank=True)
    drift = models.BooleanField(
        default=False, help_text="TradingView's position was another than the one in the lots."
    )
    #: The first trade it made; the others are found by its lots.
    trade = models.ForeignKey(
        Trade, on_delete=models.PROTECT, null=True, blank=True, related_name="webhook_logs"
    )

    #: The tamper-evident trail (webhooks.trail): a row's chain, its place there from 1 on,
    #: and hashes over what came in and over what became of it.
    chain = models.TextField(editable=False)
    place = models.BigIntegerField(editable=False)
    link = models.CharField(max_length=64, editable=False)
    seal = models.CharField(max_length=64, editable=False)

    class Meta:
        db_table = "webhook_logs"
        verbose_name = "alert"
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["strategy", "symbol", "id"], name="logs_by_book"),
            # With what is counted of alerts over a time (webhooks.traffic): their rows are wide.
            models.Index(
                fields=["received_at"],
                include=["processed_at", "status", "drift", "via_mail", "is_test"],
                name="logs_by_time",
            ),
            models.Index(fields=["processed_at"], name="logs_by_processing"),
            models.Index(
                fields=["strategy", "symbol"], name="logs_parked", condition=Q(status="parked")
            ),
            models.Index(fields=["-id"], name="logs_with_drift", condition=Q(drift=True)),
            models.Index(fields=["-id"], name="logs_of_tests", condition=Q(is_test=True)),
            models.Index(fields=["-id"], name="logs_via_mail", condition=Q(via_mail=True)),
            models.Index(
                fields=["status", "error_code", "-id"],
                name="logs_not_processed",
                condition=~Q(status="processed"),
            ),
            # Openings and closings are found wherever one looks.
            models.Index(
                fields=["action", "-id"],
                name="logs_by_rarer_action",
                condition=Q(action__in=["added", "reduced", "reversed"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["chain", "place"], name="log_place_in_chain"),
            models.CheckConstraint(
                condition=Q(status__in=LogStatus.values), name="log_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status="processed", error_code="")
                | (~Q(status="processed") & ~Q(error_code="")),
                name="log_error_unless_processed",
            ),
        ]

    def __str__(self) -> str:
        return f"alert {self.pk} ({self.status})"

    @property
    def had_at(self) -> datetime:
        """UTC; when the service had it, which tells what other alerts it may belong to."""
        return had_at(self.correlation_id, self.received_at, via_mail=self.via_mail)


class TrailAnchor(models.Model):
    """Up to where a chain of the trail was pruned; its first row that is kept follows this."""

    chain = models.TextField(unique=True)
    place = models.BigIntegerField()
    link = models.CharField(max_length=64)
    #: A hash over the three, so that nobody else cuts a chain short.
    seal = models.CharField(max_length=64)
    pruned_at = models.DateTimeField(auto_now=True, help_text="UTC.")

    class Meta:
        db_table = "trail_anchors"

    def __str__(self) -> str:
        return f"pruned up to place {self.place}"
