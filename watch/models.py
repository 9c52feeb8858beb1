"""What the watch keeps: alarms, notices of them, and how far it has looked.

On the log's database, so that it can tell that the main one is away, and tell it once.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q


class Rule(models.TextChoices):
    """What alarms are raised about; docs/alarms.md says what each means."""

    DATABASE = "database", "main database out of reach"
    LOG = "log", "write-ahead log out of reach"
    WAITING = "waiting", "alerts wait"
    BACKLOG = "backlog", "many alerts wait"
    DELAY = "delay", "alerts take long"
    FAILURES = "failures", "alerts refused"
    DRIFT = "drift", "drift"
    DISCREPANCY = "discrepancy", "P&L discrepancy"
    RATE = "rate", "refused by rate"
    KEY = "key", "key used again"
    RECONCILIATION = "reconciliation", "does not add up"
    SILENCE = "silence", "silence"


class Alarm(models.Model):
    """One thing that is not as it should be, from when it was seen until it is over.

    Times are UTC.
    """

    rule = models.CharField(max_length=20, choices=Rule.choices)
    #: Its name; empty where it is about the service as a whole.
    strategy = models.CharField(max_length=100, default="", blank=True)
    #: One sentence, as it was last seen.
    text = models.TextField()
    fired_at = models.DateTimeField(help_text="UTC.")
    #: When somebody was last told that it fires, or would have been but for the delivery.
    told_at = models.DateTimeField(null=True, blank=True, help_text="UTC.")
    #: Since when it has not been seen any more; it is over after a while of that.
    quiet_since = models.DateTimeField(null=True, blank=True, editable=False)
    cleared_at = models.DateTimeField(null=True, blank=True, help_text="UTC.")

    class Meta:
        db_table = "alarms"
        ordering = ("-id",)
        indexes = [models.Index(fields=["fired_at"], name="alarms_by_time")]
        constraints = [
            models.CheckConstraint(condition=Q(rule__in=Rule.values), name="alarm_rule_known"),
            models.UniqueConstraint(
                fields=["rule", "strategy"],
                condition=Q(cleared_at__isnull=True),
                name="alarm_fires_once",
            ),
        ]

    def __str__(self) -> str:
        about = f" of {self.strategy}" if self.strategy else ""
        return f"alarm {self.pk}: {self.get_rule_display()}{about}"

    @property
    def key(self) -> tuple[str, str]:
        """What it is about: there is one of them at a time."""
        return self.rule, self.strategy


class Notice(models.Model):
    """A message, and who is still to get it. Written together with what it tells."""

    made_at = models.DateTimeField(db_index=True, help_text="UTC.")
    title = models.TextField()
    body = models.TextField()
    #: Those it tells of; none where it tells trades.
    alarms = models.ManyToManyField(Alarm, related_name="notices", db_table="notices_of_alarms")
    #: The keys of the receivers that still wanted it at the last look (watch.receivers).
    undelivered = models.JSONField(default=list)
    #: The keys of those that want it no more: they had it, or what waits for them tells the same.
    done_with = models.JSONField(default=list)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(help_text="UTC.")
    #: When nothing was left to do: all have it, or it was given up.
    done_at = models.DateTimeField(null=True, blank=True, help_text="UTC.")
    #: Why it was not delivered, the last time; without addresses.
    trouble = models.TextField(default="", blank=True)

    class Meta:
        db_table = "notices"
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["id"], name="notices_waiting", condition=Q(done_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"notice {self.pk}: {self.title}"

    @property
    def fate(self) -> str:
        """In a word or two, whether it was delivered."""
        if self.done_at is None:
            return "waits for its delivery"
        return "given up" if self.undelivered else "delivered"


class Progress(models.Model):
    """How far the watch has come: one row."""

    #: `webhook_logs.id` up to which trades have been told.
    told_up_to = models.BigIntegerField(null=True)
    #: Ids before that of alerts which were parked then, and may yet have an effect.
    parked = models.JSONField(default=list)
    reconciled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "watch_progress"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="watch_progress_one_row")]

    def __str__(self) -> str:
        return f"told up to alert {self.told_up_to}"

    @classmethod
    def load(cls, using: Any = None) -> Progress:
        """The row, or what it would be."""
        return cls.objects.using(using).filter(pk=1).first() or cls(pk=1)
