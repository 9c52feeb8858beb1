"""Reading the mailbox over and over: a chore of the server, and `ingest_mailbox --follow`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.conf import settings
from django.db import connections
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

from chores import start_chore
from faults import LogUnavailable
from webhooks.mail.account import Account, configured_account
from webhooks.mail.ingest import Ingested, ingest
from webhooks.mail.mailbox import Mailbox, MailboxUnavailable

logger = logging.getLogger(__name__)

#: Seconds between two tries to open a mailbox, at most.
_LONGEST_WAIT = 300

#: Seconds a server that stops waits for the mail in hand; what is cut off is done again.
_PATIENCE = 5.0


def start_reading_mail() -> Callable[[], None]:
    """Start reading the mailbox beside this process's requests; what is returned stops it."""
    return start_chore("mailbox", follow, every=1.0, patience=_PATIENCE)


def follow(
    stop: threading.Event, tell: Callable[[Ingested], object] = lambda ingested: None
) -> None:
    """Read the mailbox every MAILBOX_INTERVAL_SECONDS until `stop` is set.

    The connection is kept. Where it breaks, or is refused, it is tried again, after waits
    that grow to five minutes. Raises Misconfigured.
    """
    account = configured_account()
    while not stop.is_set():
        try:
            with _open(account, stop) as mailbox:
                logger.info("Reading mail: %s", account)
                while not stop.is_set():
                    _read(mailbox, account, stop, tell)
                    stop.wait(settings.MAILBOX_INTERVAL_SECONDS)
        except MailboxUnavailable as error:
            if not stop.is_set():
                logger.warning("The mailbox is out of reach: %s", error)
                stop.wait(settings.MAILBOX_INTERVAL_SECONDS)


def _read(
    mailbox: Mailbox,
    account: Account,
    stop: threading.Event,
    tell: Callable[[Ingested], object],
) -> None:
    try:
        for ingested in ingest(mailbox, account):
            tell(ingested)
            if stop.is_set():
                return
    except LogUnavailable:
        logger.warning("The log cannot be written: mails stay unread until it can")
    finally:
        connections["default"].close()


def _open(account: Account, stop: threading.Event) -> Mailbox:
    """Open the mailbox, again and again until it can be. Raises MailboxUnavailable once stopped."""
    return Retrying(
        retry=retry_if_exception_type(MailboxUnavailable),
        wait=wait_exponential(multiplier=settings.MAILBOX_INTERVAL_SECONDS, max=_LONGEST_WAIT),
        stop=stop_when_event_set(stop),
        sleep=sleep_using_event(stop),
        before_sleep=_warn,
        reraise=True,
    )(Mailbox, account)


def _warn(state: RetryCallState) -> None:
    assert state.outcome is not None
    logger.warning(
        "The mailbox is out of reach, tried again in %.0f s: %s",
        state.upcoming_sleep,
        state.outcome.exception(),
    )
