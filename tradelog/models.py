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


class ApiToken(models.Model):
    """A token by which a program reads the API as its user. The token itself is not kept."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100, help_text="What it is for: a notebook, a dashboard.")
    #: SHA-256 of the token, in hexadecimal.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, help_text="UTC.")
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="UTC. Empty: holds until it is deleted."
    )

    class Meta:
        db_table = "api_tokens"
        verbose_name = "API token"
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(condition=~models.Q(name=""), name="api_token_has_a_name"),
        ]

    def __str__(self) -> str:
        return f"API token “{self.name}”"
