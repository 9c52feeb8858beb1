"""Counting attempts to get in, so that nobody can try for long."""

from __future__ import annotations

import logging

from django.http import HttpRequest
from django_ratelimit.core import get_usage

logger = logging.getLogger(__name__)


def seconds_to_wait(
    request: HttpRequest, *, group: str, key: str, rate: str, increment: bool = True
) -> int:
    """Count an attempt under its key, or only look; 0 if it may go on.

    The counts are in the cache, so they hold across workers, and in an outage.
    """
    try:
        usage = get_usage(
            request, group=group, key=lambda group, request: key, rate=rate, increment=increment
        )
    except Exception:
        # Who runs this service must get in when the counters are broken, of all times.
        logger.exception("An attempt (%s) could not be counted; it is let through", group)
        return 0
    return max(1, usage["time_left"]) if usage and usage["should_limit"] else 0
