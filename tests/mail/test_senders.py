"""A mail is believed only where our own mail server found it signed, and it is for us."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_django import Settings

from positions.models import Lot
from tests.mail.imap import MailServer
from tests.mail.mails import (
    ACCOUNT,
    AUTHSERV_ID,
    HEADERS,
    RECIPIENT,
    SENDER,
    SIGNATURE,
    VERDICT,
    mail,
)
from wal.models import Entry
from webhooks.mail.account import configured_account
from webhooks.mail.letter import read_letter
from webhooks.mail.refused import Refused

Ingest = Callable[..., str]
Headers = dict[str, str | list[str] | None]

FORGED = VERDICT.replace(AUTHSERV_ID, "mx.evil.example")
FAILED = f"{AUTHSERV_ID}; dkim=fail header.d=tradingview.com"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Authentication-Results": None}, "has no Authentication-Results"),
        ({"Authentication-Results": FORGED}, "not by MAILBOX_AUTHSERV_ID"),
        ({"Authentication-Results": [FORGED, VERDICT]}, "not by MAILBOX_AUTHSERV_ID"),
        ({"Authentication-Results": [FAILED, VERDICT]}, "no valid signature"),
        ({"Authentication-Results": f"{AUTHSERV_ID}; none"}, "no valid signature"),
        ({"Authentication-Results": f"{AUTHSERV_ID}; spf=pass smtp.mailfrom=tradingview.com"},
         "no valid signature"),
        ({"Authentication-Results": f"{AUTHSERV_ID}; dkim=pass header.d=tradingview.com.evil.io"},
         "no valid signature"),
        ({"Authentication-Results": f"{AUTHSERV_ID}; dkim=pass header.d=nottradingview.com"},
         "no valid signature"),
        ({"Authentication-Results":
          f"{AUTHSERV_ID}; dkim=pass header.d=evil.io header.i=@tradingview.com"},
         "no valid signature"),
        # A verdict on somebody else's signature, with ours told in words.
        ({"Authentication-Results": f"{AUTHSERV_ID}; dkim=fail (dkim=pass header.d=tradingview.com)"
          ' reason="; dkim=pass header.d=tradingview.com" header.d=tradingview.com'},
         "no valid signature"),
        ({"Authentication-Results": f"{AUTHSERV_ID};;; dkim"}, "cannot be read"),
        # What TradingView mailed to somebody else, sent on to us as it is.
        ({"To": "stranger@evil.example"}, "not in MAILBOX_RECIPIENTS"),
        ({"To": [f"Trader <{RECIPIENT}>", "stranger@evil.example"]}, "2 headers To"),
        ({"To": None}, "0 headers To"),
        ({"DKIM-Signature": None}, "no signature"),
        ({"DKIM-Signature": SIGNATURE.replace("From:To:", "From:")}, "does not cover to"),
        ({"DKIM-Signature": [SIGNATURE, SIGNATURE.replace(":Date", "")]}, "does not cover date"),
        ({"DKIM-Signature": f"{SIGNATURE}; l=10"}, "covers only part"),
        ({"From": [HEADERS["From"], "x@evil.example"]}, "2 headers From"),
        ({"From": f"{SENDER}, x@evil.example"}, "does not say that it is from"),
        ({"From": f'"{SENDER}" <x@evil.example>'}, "does not say that it is from"),
        ({"From": "noreply@tradingview.com.evil.example"}, "does not say that it is from"),
        ({"Date": None}, "0 headers Date"),
        ({"Date": "yesterday"}, "its Date cannot be read"),
    ],
)  # fmt: skip
def test_refused(headers: Headers, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_letter(mail(headers=headers), ACCOUNT)


def test_a_forged_mail_is_flagged_and_told_once(mails: MailServer, ingest: Ingest) -> None:
    mails.deliver(mail(headers={"Authentication-Results": [FORGED, VERDICT]}))
    assert "refused: its topmost Authentication-Results is not by MAILBOX_AUTHSERV_ID" in ingest(
        exits=1
    )
    assert mails.flags() == ["flagged"]
    assert not Entry.objects.exists()
    # It stays there for somebody to look at.
    assert ingest().startswith("0 mails")


@pytest.mark.parametrize(
    "headers",
    [
        # Below ours anybody may have written what they like.
        {"Authentication-Results": [VERDICT, FORGED, FAILED]},
        # As Gmail writes it.
        {"Authentication-Results":
         f"{AUTHSERV_ID};\r\n       dkim=pass header.i=@tradingview.com header.s=s1"
         ' header.b="a/b+1";\r\n       spf=pass (google.com: domain of x@y.z designates 1.2.3.4'
         " as permitted sender) smtp.mailfrom=x@y.z"},
        {"Authentication-Results": VERDICT.replace("dkim", "dkim=pass header.d=a.io; dkim", 1)},
        {"DKIM-Signature": [SIGNATURE, "v=1; d=amazonses.com; h=From; b=x"]},
        {"To": f"somebody@else.example, {RECIPIENT.upper()}"},
        {"From": SENDER.upper()},
    ],
)  # fmt: skip
def test_believed(headers: Headers) -> None:
    assert read_letter(mail(headers=headers), ACCOUNT).signal.strategy == "Alpha"


def test_mails_of_others_are_left_alone(mails: MailServer, ingest: Ingest) -> None:
    mails.deliver(mail(headers={"From": "a friend <friend@example.org>"}))
    assert ingest().startswith("0 mails")
    assert mails.flags() == [""]


def test_senders_may_be_checked_elsewhere(settings: Settings) -> None:
    settings.MAILBOX_URL = "imaps://user:password@mail.example/"
    settings.MAILBOX_CHECK_SENDER = False
    unchecked: Headers = {"Authentication-Results": None, "DKIM-Signature": None, "To": "a@b.io"}
    assert read_letter(mail(headers=unchecked), configured_account()).signal.strategy == "Alpha"


def test_a_mailbox_may_be_bound_to_strategies(
    mails: MailServer, ingest: Ingest, settings: Settings
) -> None:
    settings.MAILBOX_STRATEGIES = ["Alpha"]
    mails.deliver(mail())
    mails.deliver(mail(strategy="Beta"))
    assert "not in MAILBOX_STRATEGIES" in ingest(exits=1)
    assert Lot.objects.get().strategy.name == "Alpha"
