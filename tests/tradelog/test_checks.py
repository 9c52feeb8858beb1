"""What is checked before anything starts."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from pytest_django import Settings

from tests.installation import manage
from tests.server import ROOT
from tradelog.checks import _RANGES

ONE, OTHER = "0123456789abcdef", "fedcba9876543210"


def found() -> dict[str, str]:
    """The ids of our checks that speak up, each with what it says."""
    return {
        message.id: f"{message.msg} {message.hint}"
        for message in checks.run_checks()
        if message.id and message.id.startswith("tradelog.")
    }


def test_good_settings_pass() -> None:
    assert found() == {}


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("SECRET_KEY", "insecure-no-secret-key-was-set", "tradelog.E001"),
        ("WEBHOOK_TOKENS", [], "tradelog.W001"),
        ("WEBHOOK_TOKENS", ["tradingview:"], "tradelog.W001"),
        ("WEBHOOK_TOKENS", ["short-token"], "tradelog.W002"),
        ("WEBHOOK_TOKENS", ["mine:short-token:Alpha"], "tradelog.W002"),
        ("WEBHOOK_TOKENS", [f"mine:{ONE}", f"mine:{OTHER}:Alpha"], "tradelog.W007"),
        ("WEBHOOK_TOKENS", [f"token 2:{ONE}", OTHER], "tradelog.W007"),
        ("WEBHOOK_TOKENS", [f"mine:{ONE}", f"yours:{ONE}:Alpha"], "tradelog.W008"),
        ("WEBHOOK_TOKENS", [ONE, ONE], "tradelog.W008"),
        ("WEBHOOK_TOKENS", [f"mine:{ONE}", f"mine:{ONE}"], "tradelog.W008"),
        ("WEBHOOK_ALLOWED_IPS", ["52.89.214.238", "52.89.214"], "tradelog.E002"),
        ("TRUSTED_PROXIES", ["10.0.0.0/33"], "tradelog.E002"),
        ("METRICS_ALLOWED_IPS", ["10.0.0.0/33"], "tradelog.E002"),
        ("METRICS_TOKEN", "short-token", "tradelog.W003"),
        ("WEBHOOK_RATE", "60", "tradelog.E003"),
        ("WEBHOOK_RATE", "60/minute", "tradelog.E003"),
        ("WEBHOOK_RATE", "60/0s", "tradelog.E003"),
        ("WEBHOOK_TOKEN_RATE", "many", "tradelog.E003"),
        ("WEBHOOK_TOKEN_RATE", "0/m", "tradelog.W009"),
        ("WEBHOOK_TOKEN_RATE", "00/10s", "tradelog.W009"),
        ("MAILBOX_URL", "mail.example", "tradelog.E005"),
        ("MAILBOX_AUTHSERV_ID", "mx.example", "tradelog.E005"),
        ("MAILBOX_RECIPIENTS", ["trader@example.org"], "tradelog.E005"),
        ("ALERT_URLS", "json://localhost:1,nosuch://its-password", "tradelog.W004"),
        ("ALLOWED_HOSTS", ["localhost", "https://trades.example.com"], "tradelog.E007"),
        ("ALLOWED_HOSTS", ["trades.example.com:443"], "tradelog.E007"),
        ("ALLOWED_HOSTS", ["*.example.com"], "tradelog.E007"),
        ("ALERT_FAILURE_RATE", 10, "tradelog.W005"),
        ("ALERT_WINDOW_MINUTES", 0.0, "tradelog.W005"),
        ("THREADS", 0, "tradelog.E006"),
        ("WORKERS", -1, "tradelog.E006"),
        ("PORT", 65536, "tradelog.E006"),
        ("ANSWER_SECONDS", 0.0, "tradelog.E006"),
        ("PNL_TOLERANCE", Decimal("-0.01"), "tradelog.E006"),
    ],
)
def test_bad_settings_are_told(settings: Settings, setting: str, value: Any, expected: str) -> None:
    setattr(settings, setting, value)
    assert list(found()) == [expected]
    assert setting in found()[expected]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("WEBHOOK_TOKENS", ["0123456789abcdef"]),
        ("WEBHOOK_TOKENS", ["mine:0123456789abcdef:Alpha|Beta"]),
        ("WEBHOOK_ALLOWED_IPS", ["52.89.214.238", " 10.0.0.1/8", "2001:db8::/32", ""]),
        ("WEBHOOK_RATE", "100/10s"),
        ("ALLOWED_HOSTS", ["*", ".example.com", "[::1]", "10.0.0.1", "my_host"]),
        ("WEBHOOK_RATE", "5/"),
        ("WEBHOOK_RATE", "0/m"),
        ("WEBHOOK_TOKENS", [f"old:{ONE}", f"new:{OTHER}"]),
        ("ALERT_URLS", "json://localhost:1 , mailto://me:pw@example.com?to=a@b.com,c@d.com,"),
    ],
)
def test_unusual_settings_pass(settings: Settings, setting: str, value: Any) -> None:
    setattr(settings, setting, value)
    assert found() == {}


def test_debugging_needs_no_key(settings: Settings) -> None:
    settings.SECRET_KEY = settings.INSECURE_SECRET_KEY
    settings.DEBUG = True
    assert found() == {}


def test_a_short_token_is_not_printed(settings: Settings) -> None:
    settings.WEBHOOK_TOKENS = ["mine:short-token"]
    assert "short-token" not in found()["tradelog.W002"]


def test_a_token_given_twice_is_not_printed(settings: Settings) -> None:
    settings.WEBHOOK_TOKENS = [f"mine:{ONE}", f"yours:{ONE}"]
    assert "'mine', 'yours'" in found()["tradelog.W008"]
    assert ONE not in found()["tradelog.W008"]


def test_refusing_strangers_alone_wants_a_rate_for_alerts(tmp_path: Path) -> None:
    environment = {"WEBHOOK_RATE": "0/m", "TRADELOG_DATA": str(tmp_path)}
    assert "tradelog.W009" in manage("check", **environment).stderr
    assert "tradelog.W009" not in manage("check", **environment, WEBHOOK_TOKEN_RATE="60/m").stderr


def test_a_whole_mailbox_passes(settings: Settings) -> None:
    settings.MAILBOX_URL = "imaps://user:secret@mail.example/INBOX"
    settings.MAILBOX_AUTHSERV_ID = "mx.example"
    assert "secret" not in found()["tradelog.E005"]
    settings.MAILBOX_RECIPIENTS = ["trader@example.org"]
    assert found() == {}


def test_a_mailbox_whose_senders_are_not_checked_is_a_choice(settings: Settings) -> None:
    settings.MAILBOX_URL = "imaps://user:secret@mail.example/INBOX"
    assert list(found()) == ["tradelog.E005"]
    settings.MAILBOX_CHECK_SENDER = False
    assert list(found()) == ["tradelog.W006"]


def test_a_receivers_password_is_not_printed(settings: Settings) -> None:
    settings.ALERT_URLS = "its-password://x,json://localhost:1"
    assert "Entry 1 of ALERT_URLS" in found()["tradelog.W004"]
    assert "its-password" not in found()["tradelog.W004"]


def test_sqlite_is_refused_with_the_reason(tmp_path: Path) -> None:
    done = manage("check", DATABASE_URL="sqlite:///trades.db", TRADELOG_DATA=str(tmp_path))
    assert done.returncode == 1
    assert "tradelog.E004" in done.stderr
    assert "keeps decimals as floats" in done.stderr


def test_every_setting_is_documented() -> None:
    source = (ROOT / "tradelog" / "settings.py").read_text()
    settings = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))
    documented = set(
        re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text(), re.M)
    )
    assert settings == documented


def test_every_number_has_a_range() -> None:
    source = (ROOT / "tradelog" / "settings.py").read_text()
    numbers = set(re.findall(r'env\.(?:int|float)\(\s*"([A-Z_]+)"', source))
    assert set(_RANGES) == numbers | {"PNL_TOLERANCE"}


def test_no_setting_is_shown_with_a_comment_behind_it() -> None:
    # It would be pasted into `.env`, and be part of the value.
    shown = [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]
    shown += (ROOT / "deploy").rglob("*.example")
    assert [
        f"{file.name}: {line}"
        for file in shown
        for line in re.findall(r"(?m)^\s*#?[A-Z_]+=\S*[ \t]+#.*", file.read_text())
    ] == []
