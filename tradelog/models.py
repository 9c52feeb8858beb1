"""What the pages keep of their users, and what users may do that goes with no table."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class TimeZonePreference(models.Model):
    """The time zone in which one user reads times. Without it: UTC."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="time_zone_preference",
    )
    name = models.CharField(max_length=64, help_text="As the IANA database has it: Europe/Berlin.")

    class Meta:
        db_table = "time_zone_preferences"

    def __str__(self) -> str:
        return self.name


class WebhookToken(models.Model):
    """No table: tokens stand in the settings. This names what may be done with them."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = [
            ("reveal_webhooktoken", "Can see webhook tokens in the alert builder"),
            ("use_webhooktoken", "Can send test alerts from the alert builder"),
        ]

    def __str__(self) -> str:
        return "webhook token"
