"""Whether a mail is TradingView's, and meant for us.

What a mail says of its sender proves nothing. Our own mail server has checked the
signature (DKIM, RFC 6376) and written down what it found (Authentication-Results, RFC
8601). Whoever sends a mail can put such headers into it too, but only below ours.
"""

from __future__ import annotations

from email.headerregistry import AddressHeader
from email.message import EmailMessage
from typing import Final

import authres

from webhooks.mail.account import Account
from webhooks.mail.refused import Refused

#: What a signature must cover: whom a mail is from and for, and when it was sent.
_SIGNED: Final = frozenset({"from", "to", "date"})


def check_sender(mail: EmailMessage, account: Account) -> None:
    """Raise Refused unless the mail is from the account's sender to one of its recipients."""
    if _addresses(mail, "From") != [account.sender]:
        raise Refused(f"it does not say that it is from {account.sender}")
    if account.recipients and account.recipients.isdisjoint(_addresses(mail, "To")):
        raise Refused("it was sent to an address that is not in MAILBOX_RECIPIENTS")
    if account.authserv_id:
        _check_verdict(mail, account)
        _check_what_is_signed(mail, account.sender_domain)


def _addresses(mail: EmailMessage, name: str) -> list[str]:
    # A signature covers the last header of a name, a reader sees the first.
    header = only(mail, name)
    assert isinstance(header, AddressHeader)
    return [address.addr_spec.lower() for address in header.addresses]


def only(mail: EmailMessage, name: str) -> object:
    """The mail's one header of that name. Raises Refused if it has none, or several."""
    headers = mail.get_all(name, [])
    if len(headers) != 1:
        raise Refused(f"it has {len(headers)} headers {name}, and must have one")
    return headers[0]


def _check_verdict(mail: EmailMessage, account: Account) -> None:
    # The topmost only: those below may be the sender's own.
    topmost = next(iter(mail.get_all("Authentication-Results", [])), None)
    if topmost is None:
        raise Refused("our mail server has not checked it: it has no Authentication-Results")
    try:
        verdict = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {topmost}")
    except authres.AuthResError as error:
        raise Refused("its topmost Authentication-Results cannot be read") from error
    if verdict.authserv_id != account.authserv_id:
        raise Refused("its topmost Authentication-Results is not by MAILBOX_AUTHSERV_ID")
    if not any(
        result.method == "dkim"
        and result.result == "pass"
        and _domains(result) == {account.sender_domain}
        for result in verdict.results
    ):
        raise Refused(
            f"our mail server found no valid signature (dkim=pass) of {account.sender_domain}"
        )


def _domains(result: authres.AuthenticationResult) -> set[str]:
    """Who signed: `header.d`, or where a server does not tell that (Gmail) `header.i`."""
    told = {
        name: [each.value for each in result.properties if (each.type, each.name) == name]
        for name in (("header", "d"), ("header", "i"))
    }
    signers, identities = told.values()
    return {name.rpartition("@")[2].lower() for name in signers or identities}


def _check_what_is_signed(mail: EmailMessage, domain: str) -> None:
    """Each signature of that domain covers enough; the one that was found valid is among them.

    Else a mail that TradingView sent to somebody else could be sent on to us.
    """
    signatures = [
        tags
        for header in mail.get_all("DKIM-Signature", [])
        if (tags := _tags(str(header))).get("d", "").lower() == domain
    ]
    if not signatures:
        raise Refused(f"it has no signature (DKIM-Signature) of {domain}")
    for tags in signatures:
        missing = _SIGNED.difference(tags.get("h", "").lower().split(":"))
        if missing:
            raise Refused(f"its signature does not cover {', '.join(sorted(missing))}")
        if "l" in tags:
            raise Refused("its signature covers only part of it (l=)")


def _tags(header: str) -> dict[str, str]:
    parts = (part.partition("=") for part in header.split(";"))
    return {name.strip(): "".join(value.split()) for name, _, value in parts}
