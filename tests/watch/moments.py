"""The moment at which these tests look."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

#: A Wednesday's noon: Saturdays and Sundays may not count as silence, and the day a test is run
#: on must not tell how it ends.
NOW: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
