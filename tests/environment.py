"""What a test run is configured with; loaded by pytest before Django's settings are.

Everything is kept in a folder of its own, so that a test run never touches the
data of a server that runs from the same checkout.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

TOKEN = "tradingview-0123456789abcdef"
BOUND_TOKEN = "bound-fedcba9876543210fedcba"
#: The one strategy the bound token may speak for.
BOUND_TO = "Alpha"

_FOLDER = Path(tempfile.mkdtemp(prefix="tradelog-tests-"))

os.environ.update(
    {
        "DJANGO_SETTINGS_MODULE": "tradelog.settings",
        "SECRET_KEY": "a-key-for-tests-alone-0123456789-0123456789-0123456789",
        "TRAIL_KEY": "a-key-for-the-trail-of-tests",
        "DEBUG": "false",
        "TRADELOG_DATA": str(_FOLDER),
        # Empty, not absent: an `.env` file must not set them.
        "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", ""),
        "WAL_DATABASE_URL": "",
        "CACHE_URL": "",
        "WEBHOOK_TOKENS": f"tradingview:{TOKEN},bound:{BOUND_TOKEN}:{BOUND_TO}",
        "WEBHOOK_RATE": "1000000/m",
        "WEBHOOK_ALLOWED_IPS": "",
        "TRUSTED_PROXIES": "",
        "METRICS_TOKEN": "",
        "METRICS_ALLOWED_IPS": "",
        "MAILBOX_URL": "",
        "MAILBOX_AUTHSERV_ID": "",
        "MAILBOX_RECIPIENTS": "",
        "ALERT_URLS": "",
        "ALERT_TRADES": "",
        "LEASE_SECONDS": "1",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
    }
)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)
