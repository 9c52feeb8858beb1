"""Months of trades are summed up beside the requests, in the zones that users read times in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from django.db import connections

from chores import start_chore
from tradelog.models import TimeZonePreference
from trades.monthly.building import sum_up

logger = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 20.0
#: A step takes a second or two.
_PATIENCE: Final = 5.0


def zones_in_use() -> list[str]:
    """By name: UTC, in which the API and who has chosen none have their days, and the chosen."""
    chosen = TimeZonePreference.objects.order_by("name").values_list("name", flat=True).distinct()
    return ["UTC", *(name for name in chosen if name != "UTC")]


def start_summing_up() -> Callable[[], None]:
    """Start this process's summing up; what is returned stops it, after the zone in hand."""
    return start_chore("sum up", _sum_up, every=_EVERY_SECONDS, patience=_PATIENCE)


def _sum_up(stop: threading.Event) -> None:
    try:
        for zone in zones_in_use():
            if stop.is_set():
                return
            if added := sum_up(zone):
                logger.info("Summed up %d more trades in %s", added, zone)
    finally:
        connections["default"].close()
