"""Rows as they stand, for records of what was changed or taken out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet


def whole_rows(rows: QuerySet[Any], *columns: str) -> list[dict[str, Any]]:
    """All of their columns, or these, oldest first, in JSON's own types and to the last digit."""
    found = rows.order_by("pk").values(*columns)
    return [{name: _plain_json(value) for name, value in row.items()} for row in found]


def _plain_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int, str, dict, list)):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)
