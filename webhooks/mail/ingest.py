"""From the mailbox into the pipeline, and back to the mailbox with what became of each mail."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import islice

from django.conf import settings
from django.db import Error
from django.utils import timezone
from uuid_utils.compat import uuid7

from faults import DatabaseUnavailable, Queued
from webhooks.credentials import Token
from webhooks.frontdoor import Delivery
from webhooks.mail.account import Account
from webhooks.mail.letter import Letter, read_letter
from webhooks.mail.mailbox import Mailbox, Waiting, Withheld
from webhooks.mail.refused import Refused
from webhooks.main_database import transact
from webhooks.models import LogStatus, WebhookLog
from webhooks.pipeline import receive
from webhooks.sameness import find_same

logger = logging.getLogger(__name__)


class Became(StrEnum):
    """What became of a mail."""

    #: Its webhook has not come: the alert is in the log, by mail.
    TAKEN = "taken"
    #: The same alert had come before.
    KNOWN = "known"
    #: It is no alert, or may not be one; it is flagged and left where it is.
    REFUSED = "refused"
    #: Its webhook may still come.
    WAITS = "waits"
    #: The mail server does not hand it out; it is tried again, and keeps no other from being read.
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Ingested:
    """One mail, and what became of it, or would (`--dry-run`)."""

    mail: Waiting
    became: Became
    #: In words: which alert it is, or why it is refused.
    told: str
    #: Whether somebody should look at it.
    needs_attention: bool = False


def ingest(
    mailbox: Mailbox, account: Account, *, limit: int | None = None, dry_run: bool = False
) -> Iterator[Ingested]:
    """Deal with the mails that wait, in the order TradingView sent them.

    Whoever dies between the append and the mark finds the mail again, and its order in
    the log. Raises MailboxUnavailable, and LogUnavailable if nothing was accepted; the
    mail is then as it was.
    """
    since = timezone.now() - timedelta(days=settings.MAILBOX_MAX_DAYS)
    # A day of grace: the server's dates are those of its own time zone.
    waiting = mailbox.waiting((since - timedelta(days=1)).date())
    ripe: list[tuple[Waiting, Letter]] = []
    for mail in islice((mail for mail in waiting if mail.arrived_at >= since), limit):
        if (left := _seconds_left(mail)) > 0:
            yield Ingested(mail, Became.WAITS, f"for its webhook, {left:.0f} s more")
            continue
        try:
            letter = _letter(mailbox, mail, account)
        except Refused as refused:
            if not dry_run:
                logger.warning("Mail %s of %s was refused: %s", mail.uid, account, refused)
                mailbox.mark_refused(mail.uid)
            yield Ingested(mail, Became.REFUSED, str(refused), needs_attention=True)
            continue
        except Withheld as withheld:
            if not dry_run:
                logger.warning("Mail %s of %s cannot be had: %s", mail.uid, account, withheld)
            yield Ingested(mail, Became.WITHHELD, str(withheld), needs_attention=True)
            continue
        if letter is not None:
            ripe.append((mail, letter))
    for mail, letter in sorted(ripe, key=lambda each: each[1].sent_at):
        known = _known(letter)
        if known is not None:
            ingested = Ingested(mail, Became.KNOWN, _named(known))
        elif dry_run:
            ingested = Ingested(mail, Became.TAKEN, f"its webhook has not come: {_order(letter)}")
        else:
            ingested = _take(mail, letter, account)
        if not dry_run:
            mailbox.mark_taken(mail.uid)
        yield ingested


def _seconds_left(mail: Waiting) -> float:
    """How long its webhook may still take: TradingView sends it again for half a minute."""
    waited = timezone.now() - mail.arrived_at
    return float(settings.MAILBOX_GRACE_SECONDS - waited.total_seconds())


def _letter(mailbox: Mailbox, mail: Waiting, account: Account) -> Letter | None:
    """What is in a mail; None if it is gone. Raises Refused, and Withheld."""
    limit = settings.MAILBOX_MAX_BYTES
    # One byte more than is read tells that there is more.
    raw = mailbox.read(mail.uid, limit + 1)
    if raw is None:
        return None
    if len(raw) > limit:
        raise Refused(f"it has more than {limit:,} bytes")
    return read_letter(raw, account)


def _known(letter: Letter) -> WebhookLog | None:
    """The alert, if it has its row. Where the database is away, the log decides later."""
    try:
        return transact(lambda: find_same(letter.signal, letter.sent_at))
    except (DatabaseUnavailable, Error):
        return None


def _take(mail: Waiting, letter: Letter, account: Account) -> Ingested:
    delivery = Delivery(
        body=letter.body,
        token=Token(name="", value="", strategies=account.strategies),
        address="",
        given_key="",
        via_mail=True,
    )
    try:
        outcome = receive(delivery, correlation_id=uuid7(), received_at=letter.sent_at)
    except Queued as queued:
        told = f"entry {queued.ids['wal_id']} of the log: {queued}"
        return Ingested(mail, Became.TAKEN, told, needs_attention=True)
    if outcome.is_duplicate:
        # It came while we were looking.
        return Ingested(mail, Became.KNOWN, _named(outcome.log))
    is_applied = outcome.log.status == LogStatus.PROCESSED
    return Ingested(mail, Became.TAKEN, _named(outcome.log), needs_attention=not is_applied)


def _named(log: WebhookLog) -> str:
    what = log.error_code or log.action or log.status
    by_mail = ", by mail" if log.via_mail else ""
    return f"alert {log.pk}{by_mail}: {what}, {log.strategy} on {log.symbol}"


def _order(letter: Letter) -> str:
    return f"{letter.signal.strategy} on {letter.signal.symbol}"
