"""What can be wrong with the settings, told before anything runs on them."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from watch.receivers import unreadable
from webhooks.credentials import configured_tokens
from webhooks.mail.account import Misconfigured, configured_account

#: Characters below which a token can be guessed by trying.
SHORTEST_TOKEN = 16

#: As django-ratelimit reads it: requests, a slash, and a number of s, m, h or d.
_RATE = re.compile(r"\d+/([1-9]\d*)?[smhd]?")
_NONE = re.compile(r"0+/.*")

#: As Django compares them with the Host header, ports left out.
_HOST = re.compile(r"\*|\.?[\w-]+(\.[\w-]+)*|\[[0-9a-fA-F:.]+\]")

#: A day of seconds; a year of them, which is more than anybody means in minutes or hours; a
#: century of days.
_DAY, _YEAR, _CENTURY = 86_400, 31_622_400, 36_500

#: What the numbers among the settings may be, both ends included.
_RANGES: dict[str, tuple[float, float]] = {
    "PORT": (0, 65_535),
    "WORKERS": (1, 1_000),
    "THREADS": (1, 10_000),
    "RETENTION_DAYS": (1, _CENTURY),
    "METRICS_STRATEGIES": (0, 100_000),
    "PARK_SECONDS": (0, _YEAR),
    "DUPLICATE_SECONDS": (0, _YEAR),
    "PNL_TOLERANCE": (0, 10**12),
    "LEASE_SECONDS": (0.1, _DAY),
    "ANSWER_SECONDS": (0.1, 60),
    "BREAKER_FAILURES": (1, 10**6),
    "BREAKER_RESET_SECONDS": (0, _DAY),
    "MAILBOX_GRACE_SECONDS": (0, _DAY),
    "MAILBOX_INTERVAL_SECONDS": (0.1, _DAY),
    "MAILBOX_MAX_DAYS": (1, _CENTURY),
    "ALERT_EVERY_SECONDS": (0, _DAY),
    "ALERT_REMINDER_HOURS": (0, _YEAR),
    "ALERT_WINDOW_MINUTES": (1, _YEAR),
    "ALERT_FAILURE_RATE": (0, 1),
    "ALERT_DELAY_SECONDS": (0, _YEAR),
    "ALERT_WAITING_SECONDS": (0, _YEAR),
    "ALERT_BACKLOG": (0, 10**9),
    "ALERT_SILENCE_FACTOR": (0, 1_000),
    "ALERT_RECONCILE_HOURS": (0, _YEAR),
}


@register
def check_secret_key(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if settings.DEBUG or settings.SECRET_KEY != settings.INSECURE_SECRET_KEY:
        return []
    return [
        Error(
            "SECRET_KEY is not set.",
            hint="`make serve` writes an .env file with a fresh one; or set it in the environment.",
            id="tradelog.E001",
        )
    ]


@register
def check_webhook_tokens(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    tokens = configured_tokens()
    if not tokens:
        return [
            Warning(
                "WEBHOOK_TOKENS is empty: every alert will be refused.",
                hint="Set WEBHOOK_TOKENS=tradingview:<a long random token>.",
                id="tradelog.W001",
            )
        ]
    return [
        Warning(
            f"The token {token.name!r} of WEBHOOK_TOKENS is shorter than {SHORTEST_TOKEN} "
            "characters.",
            hint="A new one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
            id="tradelog.W002",
        )
        for token in tokens
        if len(token.value) < SHORTEST_TOKEN
    ]


@register
def check_tokens_apart(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    names_of: dict[str, list[str]] = {}
    for token in configured_tokens():
        names_of.setdefault(token.value, []).append(token.name)
    shared = Counter(name for names in names_of.values() for name in set(names))
    return [
        *(
            Warning(
                f"{number} tokens of WEBHOOK_TOKENS are named {name!r}: nobody can tell by which "
                "of them an alert came.",
                hint="Give each a name of its own, also the old and the new one while one is "
                "being replaced.",
                id="tradelog.W007",
            )
            for name, number in shared.items()
            if number > 1
        ),
        *(
            Warning(
                f"WEBHOOK_TOKENS has the same token {len(names)} times "
                f"({', '.join(map(repr, names))}): the first one's name and strategies count.",
                hint="Leave one of them, or give each a token of its own.",
                id="tradelog.W008",
            )
            for names in names_of.values()
            if len(names) > 1
        ),
    ]


@register
def check_metrics_token(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if not settings.METRICS_TOKEN or len(settings.METRICS_TOKEN) >= SHORTEST_TOKEN:
        return []
    return [
        Warning(
            f"METRICS_TOKEN is shorter than {SHORTEST_TOKEN} characters.",
            hint="A new one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
            id="tradelog.W003",
        )
    ]


@register
def check_networks(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        Error(
            f"{setting} has {cidr!r}, which is no address and no network.",
            hint="Write 203.0.113.7 or 203.0.113.0/24, comma-separated.",
            id="tradelog.E002",
        )
        for setting in ("WEBHOOK_ALLOWED_IPS", "TRUSTED_PROXIES", "METRICS_ALLOWED_IPS")
        for cidr in _malformed_networks(getattr(settings, setting))
    ]


@register
def check_hosts(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        Error(
            f"ALLOWED_HOSTS has {host!r}, which is no host's name and no address.",
            hint="Write trades.example.com, without scheme or port; .example.com for all below it.",
            id="tradelog.E007",
        )
        for host in settings.ALLOWED_HOSTS
        if not _HOST.fullmatch(host)
    ]


@register
def check_rates(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    return [
        Error(
            f"{setting} is {getattr(settings, setting)!r}, which is no rate.",
            hint="Write requests per time: 60/m, 5/s, 1000/h, 100/10s.",
            id="tradelog.E003",
        )
        for setting in ("WEBHOOK_RATE", "WEBHOOK_TOKEN_RATE")
        if not _RATE.fullmatch(getattr(settings, setting))
    ]


@register
def check_alerts_are_let_in(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    # No error: who wants no alert for a while may say it so.
    if not _NONE.fullmatch(settings.WEBHOOK_TOKEN_RATE):
        return []
    return [
        Warning(
            f"WEBHOOK_TOKEN_RATE is {settings.WEBHOOK_TOKEN_RATE!r}: every alert is refused.",
            hint="Not set, it is WEBHOOK_RATE. To let in nothing but alerts, set WEBHOOK_RATE to "
            "0/m, and WEBHOOK_TOKEN_RATE to what your alerts need.",
            id="tradelog.W009",
        )
    ]


@register
def check_main_database(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    engine = settings.DATABASES["default"]["ENGINE"]
    if engine.endswith((".postgresql", ".postgis")):
        return []
    return [
        Error(
            f"DATABASE_URL names no PostgreSQL but {engine.rpartition('.')[2]}.",
            hint="Prices and money must be exact, and SQLite keeps decimals as floats: "
            "123456789.123456789012 reads back as 123456789.123457. Name a PostgreSQL, "
            "or leave DATABASE_URL empty for the embedded one.",
            id="tradelog.E004",
        )
    ]


@register
def check_mailbox(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if not settings.MAILBOX_URL:
        others = ("MAILBOX_AUTHSERV_ID", "MAILBOX_RECIPIENTS", "MAILBOX_STRATEGIES")
        half = next((setting for setting in others if getattr(settings, setting)), None)
        fault = half and f"{half} is set, and MAILBOX_URL is not: no mail would be read."
    else:
        fault = _fault_of_mailbox()
    if fault:
        return [Error(fault, hint="docs/mailbox.md tells how it is set up.", id="tradelog.E005")]
    if settings.MAILBOX_CHECK_SENDER or not settings.MAILBOX_URL:
        return []
    return [
        Warning(
            "MAILBOX_CHECK_SENDER is false: whoever can write to the mailbox can place orders.",
            hint="Right only where nothing but a forwarder that checks senders can write to it.",
            id="tradelog.W006",
        )
    ]


def _fault_of_mailbox() -> str | None:
    try:
        configured_account()
    except Misconfigured as fault:
        return str(fault)
    return None


@register
def check_alarms(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    # No errors: whoever cannot be told must not keep alerts from being taken.
    return [
        Warning(
            f"Entry {place} of ALERT_URLS cannot be read: nobody is told by it.",
            hint="It is to be a URL as Apprise writes them, such as tgram://token/chat; "
            "`manage.py check_alerts --test` sends to each.",
            id="tradelog.W004",
        )
        for place in unreadable()
    ]


@register
def check_numbers(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for setting, (least, most) in _RANGES.items():
        if least <= (value := getattr(settings, setting)) <= most:
            continue
        text = f"{setting} is {value}, which is not from {least:,} to {most:,}."
        hint = "docs/settings.md tells what it means."
        # Nothing about alarms keeps alerts from being taken.
        if setting.startswith("ALERT_"):
            found.append(Warning(text, hint=hint, id="tradelog.W005"))
        else:
            found.append(Error(text, hint=hint, id="tradelog.E006"))
    return found


def _malformed_networks(cidrs: Sequence[str]) -> Iterator[str]:
    for cidr in filter(None, map(str.strip, cidrs)):
        try:
            ipaddress.ip_network(cidr, strict=False)
        except ValueError:
            yield cidr
