"""Pages as tests look at them."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
#: The days of the recorded session.
WHOLE = {"from": "2015-01-01", "to": "2024-12-31"}


def show(client: Client, **parameters: Any) -> Any:
    """The Overview's answer."""
    return client.get("/", parameters)


def text_of(page: Any) -> str:
    """What a reader sees, a space between pieces."""
    visible = re.sub(r"<(script|style).*?</\1>", " ", page.content.decode(), flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", " ", visible)
    return re.sub(r"\s+", " ", html.unescape(text))
