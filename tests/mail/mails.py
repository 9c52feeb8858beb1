"""Alert mails, as TradingView sends them and our mail server hands them on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from html import escape
from typing import Any

from tests.alerts import alert
from webhooks.mail.account import Account

#: The name of our mail server in what it writes down.
AUTHSERV_ID = "mx.ours.example"
RECIPIENT = "trader@ours.example"
SENDER = "noreply@tradingview.com"

ACCOUNT = Account(
    host="", port=0, user="", password="", folder="", is_encrypted=True, sender=SENDER,
    authserv_id=AUTHSERV_ID, recipients=frozenset({RECIPIENT}), strategies=frozenset(),
)  # fmt: skip

VERDICT = (
    f"{AUTHSERV_ID}; dkim=pass header.d=tradingview.com header.s=s1 header.b=abc; "
    "spf=pass smtp.mailfrom=bounces.tradingview.com; dmarc=pass header.from=tradingview.com"
)
SIGNATURE = (
    "v=1; a=rsa-sha256; c=relaxed/relaxed; d=tradingview.com; s=s1; "
    "h=From:To:Subject:Date:Message-ID:MIME-Version; bh=x; b=abc"
)

HEADERS = {
    "Authentication-Results": VERDICT,
    "DKIM-Signature": SIGNATURE,
    "From": f"TradingView <{SENDER}>",
    "To": f"Trader <{RECIPIENT}>",
    "Subject": "Alert: BTCUSDT, Alpha",
}


def in_html(message: str) -> str:
    """A message in words and HTML, as TradingView wraps it."""
    shown = escape(message).replace("\n", "<br>").replace("  ", "&nbsp; ")
    return f"""<html><head><title>TradingView {{alert}}</title>
<style>.body {{ color: red }} a {{ margin: 0 }}</style></head>
<body><table><tr><td><p>Your <b>Alpha</b> alert was triggered</p>
<p class="message">{shown}</p><a href="https://www.tradingview.com/?utm={{x}}">Open chart</a>
</td></tr></table></body></html>"""


def mail(
    message: str | None = None,
    *,
    sent_at: datetime | None = None,
    html: bool = False,
    plain: bool = True,
    headers: dict[str, str | list[str] | None] | None = None,
    **fields: Any,
) -> bytes:
    """A mail with the alert in it; by `headers` some are others, several, or (None) missing."""
    if message is None:
        message = json.dumps(alert(**fields), indent=2)
    built = EmailMessage()
    if plain:
        built.set_content(f"Your Alpha alert was triggered\n\n{message}\n\nOpen chart")
        if html:
            built.add_alternative(in_html(message), subtype="html")
    else:
        built.set_content(in_html(message), subtype="html", cte="quoted-printable")
    told: dict[str, str | list[str] | None] = {
        **HEADERS,
        "Date": format_datetime(sent_at or datetime.now(UTC)),
        "Message-ID": make_msgid(domain="tradingview.com"),
        **(headers or {}),
    }
    return with_headers(built.as_bytes(), told)


def with_headers(raw: bytes, headers: dict[str, str | list[str] | None]) -> bytes:
    """A mail with these headers above its own; written as they are, for they may be wrong."""
    lines = [
        f"{name}: {value}\r\n"
        for name, values in headers.items()
        if values is not None
        for value in (values if isinstance(values, list) else [values])
    ]
    return "".join(lines).encode() + raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
