"""Reading an alert mail: its bytes in, the alert in it or why it is refused out."""

from __future__ import annotations

import email.policy
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import DateHeader
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser

from django.conf import settings
from django.utils import timezone

from faults import InvalidJSON, InvalidPayload
from webhooks.credentials import cut_tokens, cut_tokens_from_text, may_speak_for
from webhooks.mail.account import Account
from webhooks.mail.refused import Refused
from webhooks.mail.sender import check_sender, only
from webhooks.mail.text import message_in
from webhooks.payload import parse
from webhooks.signal import Signal


@dataclass(frozen=True, slots=True)
class Letter:
    """An alert that came by mail."""

    #: Without tokens.
    body: bytes
    signal: Signal
    #: When TradingView sent it, UTC; never in the future.
    sent_at: datetime


def read_letter(raw: bytes, account: Account) -> Letter:
    """The alert in a mail. Raises Refused."""
    try:
        # Of a stranger's mail the head is enough.
        check_sender(BytesHeaderParser(policy=email.policy.default).parsebytes(raw), account)
        mail = BytesParser(policy=email.policy.default).parsebytes(raw)
        body = cut_tokens(message_in(mail).encode())
        sent_at = _sent_at(mail)
    except Refused:
        raise
    except Exception as error:
        # Of what a stranger may send there are always headers that no parser expects.
        raise Refused(f"it cannot be read ({type(error).__name__})") from error
    if len(body) > settings.WEBHOOK_MAX_BYTES:
        raise Refused(f"its message has more than {settings.WEBHOOK_MAX_BYTES:,} bytes")
    try:
        signal = parse(body)
    except (InvalidJSON, InvalidPayload) as fault:
        raise Refused(cut_tokens_from_text(f"{fault.code}: {fault.message}")) from fault
    if not may_speak_for(account.strategies, signal.strategy):
        raise Refused("its strategy is not in MAILBOX_STRATEGIES")
    return Letter(body, signal, sent_at)


def _sent_at(mail: EmailMessage) -> datetime:
    # TradingView sends mail and webhook at one moment, and signs the mail's date; when a
    # mail arrives may be minutes later.
    header = only(mail, "Date")
    assert isinstance(header, DateHeader)
    sent_at = header.datetime
    if sent_at is None:
        raise Refused("its Date cannot be read")
    if sent_at.tzinfo is None:  # "-0000": UTC, of a zone that is not told.
        sent_at = sent_at.replace(tzinfo=UTC)
    return min(sent_at.astimezone(UTC), timezone.now())
