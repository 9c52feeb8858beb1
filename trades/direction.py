"""The two sides of a market."""

from __future__ import annotations

from django.db import models


class Direction(models.TextChoices):
    """Which way a lot or a trade stands."""

    LONG = "long", "long"
    SHORT = "short", "short"

    @property
    def sign(self) -> int:
        """+1 for long, -1 for short: the sign of its quantity and of its profit."""
        return 1 if self is Direction.LONG else -1

    @property
    def opposite(self) -> Direction:
        return Direction.SHORT if self is Direction.LONG else Direction.LONG
