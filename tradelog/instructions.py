"""What the user is told when the service starts: the webhook, the alert, the admin."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from textwrap import indent
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError

from tradelog.alert_messages import ALERT_MESSAGE
from webhooks.credentials import configured_tokens

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_LOCAL = {"localhost", "127.0.0.1", "[::1]", "*"}


def url(host: str, port: int) -> str:
    """How a program on this machine reaches the service, without a slash at the end."""
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def text(local_url: str) -> str:
    """Everything a newcomer needs for the first alert. It holds a token: print it, never log it."""
    return f"""
tradelog is served at {local_url}

Webhook URL, on this machine:
{_webhook_urls(local_url)}

Webhook URL, for TradingView, which reaches ports 80 and 443 only (README.md says how):
{_webhook_urls(public_url() or "https://<host, to be added to ALLOWED_HOSTS>")}

Message of the alert; put your strategy's name in:
{indent(ALERT_MESSAGE, "  ")}

Overview, alert builder, admin:
  {local_url}/
{_admin_command()}"""


def _webhook_urls(base: str) -> str:
    tokens = configured_tokens()
    if not tokens:
        return "  none: WEBHOOK_TOKENS is empty, so every alert is refused"
    return "\n".join(
        f"  {base}/webhook/{quote(token.value, safe='')}/"
        + (f"  ({token.name})" if len(tokens) > 1 else "")
        for token in tokens
    )


def public_url() -> str | None:
    """How TradingView reaches the service, without a slash at the end; None: nobody said."""
    names = [name.lstrip(".") for name in settings.ALLOWED_HOSTS if name not in _LOCAL]
    return f"https://{names[0]}" if names else None


def _admin_command() -> str:
    with suppress(DatabaseError):  # Nobody knows, so it is said.
        if get_user_model().objects.filter(is_superuser=True).exists():
            return ""
    python = os.path.relpath(sys.executable)
    if python.startswith(".."):
        python = sys.executable
    return f"  Make a user for it: {shlex.join([python, 'manage.py', 'createsuperuser'])}\n"
