"""The admin's lists as tests look at them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django.test import Client
from django.urls import reverse

TRADES, LOTS = "trades_trade", "positions_lot"
ALERTS, ENTRIES = "webhooks_webhooklog", "wal_entry"


def page(client: Client, listed: str, **parameters: Any) -> str:
    answer = client.get(reverse(f"admin:{listed}_changelist"), parameters)
    assert answer.status_code == 200, (parameters, answer.headers.get("Location"))
    return answer.content.decode()


def shown(client: Client, listed: str, **parameters: Any) -> list[int]:
    """The ids of the rows in a list, in its order."""
    path = reverse(f"admin:{listed}_changelist")
    found = re.findall(rf'href="{path}(\d+)/change/', page(client, listed, **parameters))
    return [int(number) for number in found]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
