"""The admin's log-in, which nobody can try passwords at for long."""

from __future__ import annotations

import logging
import math
import unicodedata
from typing import Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase

from addresses import client_address, counted_as
from audit.shown import counted
from tradelog.attempts import seconds_to_wait
from tradelog.error_page import error_page

logger = logging.getLogger(__name__)

#: Tries from one address, and for one user name from anywhere.
BY_ADDRESS: Final = "20/5m"
BY_NAME: Final = "10/5m"
#: Characters of a user's name, as Django has it.
_LONGEST_NAME: Final = 150


def log_in(request: HttpRequest) -> HttpResponseBase:
    """The admin's own log-in page; 429 where it was tried too often."""
    if request.method == "POST" and (seconds := _seconds_to_wait(request)):
        minutes = math.ceil(seconds / 60)
        response = error_page(
            429,
            "Too many attempts to log in",
            f"Try again in {counted(minutes, 'minute')}.",
        )
        response["Retry-After"] = str(seconds)
        return response
    return admin.site.login(request)


def _seconds_to_wait(request: HttpRequest) -> int:
    """Count one try; 0 if it may go on."""
    address = client_address(request)
    # As one name, however it is written: as the form reads it, which refuses longer ones as they
    # are, since normalising can take seconds. The database decides which user it is.
    written = request.POST.get("username", "").strip()[:_LONGEST_NAME]
    name = unicodedata.normalize("NFKC", written).casefold()
    # Counted before the password is looked at, so that tries at the same time count too. Of an
    # address that has had its tries no more is looked at: it must not use up those of every name.
    seconds = seconds_to_wait(
        request, group="log-in by address", key=counted_as(address), rate=BY_ADDRESS
    ) or seconds_to_wait(request, group="log-in by name", key=name, rate=BY_NAME)
    if seconds:
        logger.warning("Too many attempts to log in from %s", address or "an unknown address")
    return seconds
