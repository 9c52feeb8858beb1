"""The write-ahead log's tables: what was accepted, and what was refused by rate."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q

from wal.arrival import had_at


class EntryStatus(models.TextChoices):
    """Where an entry stands. Only the first two still want an effect."""

    #: Durable, and nobody is working on it.
    PENDING = "pending", "pending"
    #: Claimed: a process works on it until its lease ends.
    PROCESSING = "processing", "processing"
    #: Its effect is in the main database.
    COMPLETED = "completed", "completed"
    #: Refused for good; the main database says why.
    FAILED = "failed", "failed"
    #: The same alert had come before.
    DUPLICATE = "duplicate", "duplicate"
    #: An exit that waits for its entry.
    PARKED = "parked", "parked"


UNSETTLED = (EntryStatus.PENDING, EntryStatus.PROCESSING)


class Entry(models.Model):
    """One alert as it came in, secrets cut out, and what became of it.

    The log knows bytes and states, nothing of trading: `book` is a label under
    which entries are applied in the order of their ids, and `envelope` is kept
    for whoever applies the entry.
    """

    correlation_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    body = models.BinaryField()
    envelope = models.JSONField(default=dict)
    #: Empty until somebody has read the body; entries are durable before that.
    book = models.TextField(default="", blank=True)
    status = models.CharField(
        max_length=10, choices=EntryStatus.choices, default=EntryStatus.PENDING
    )
    #: How often a process has claimed it.
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(default="", blank=True)
    received_at = models.DateTimeField()
    #: When it was marked with what became of it; an exit that is parked waits from then on.
    settled_at = models.DateTimeField(null=True, blank=True)
    #: The row in the main database; no foreign key reaches across databases.
    webhook_log_id = models.BigIntegerField(null=True, blank=True)
    #: The process that holds the claim, and until when.
    claimed_by = models.CharField(max_length=64, default="", blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_wal"
        verbose_name = "log entry"
        verbose_name_plural = "write-ahead log"
        indexes = [
            # Both cover open work only, so they stay small however long the log grows.
            models.Index(
                fields=["book", "id"],
                name="wal_unsettled_by_book",
                condition=Q(status__in=["pending", "processing"]),
            ),
            models.Index(fields=["received_at"], name="wal_by_time"),
            models.Index(fields=["received_at"], name="wal_parked", condition=Q(status="parked")),
            models.Index(fields=["received_at"], name="wal_failed", condition=Q(status="failed")),
            models.Index(
                fields=["received_at"], name="wal_duplicates", condition=Q(status="duplicate")
            ),
            models.Index(
                fields=["settled_at"],
                name="wal_doubtful",
                condition=Q(status="duplicate") & ~Q(last_error=""),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=EntryStatus.values), name="wal_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status="processing", claimed_until__isnull=False)
                | (~Q(status="processing") & Q(claimed_until__isnull=True)),
                name="wal_claimed_while_processing",
            ),
        ]

    def __str__(self) -> str:
        return f"log entry {self.pk} ({self.status})"

    @property
    def via_mail(self) -> bool:
        """Whether it came by mail."""
        return bool(self.envelope.get("via_mail", False))

    @property
    def had_at(self) -> datetime:
        """UTC; when the service had it, which tells what other alerts it may belong to."""
        return had_at(self.correlation_id, self.received_at, via_mail=self.via_mail)


class Refusal(models.Model):
    """An alert with a valid token that was refused by rate. Nothing of its body is kept."""

    refused_at = models.DateTimeField(db_index=True)
    #: As entries are labelled; empty where the alert told no book.
    book = models.TextField(default="", blank=True)
    #: The token's name, never the token.
    token_name = models.CharField(max_length=100)
    address = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        db_table = "refused_alerts"
        verbose_name = "alert refused by rate"
        verbose_name_plural = "alerts refused by rate"

    def __str__(self) -> str:
        return f"refusal {self.pk}"
