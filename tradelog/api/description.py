"""The API's description of itself, as drf-spectacular is told it."""

from __future__ import annotations

from typing import Any

OF_THE_API: dict[str, Any] = {
    "TITLE": "tradelog",
    "DESCRIPTION": "Trades, positions, alerts and statistics, read-only. Amounts are strings "
    "with every digit, times are ISO 8601 in UTC.",
    "VERSION": "1",
    "PREPROCESSING_HOOKS": ["tradelog.api.schema.only_api"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tradelog.api.schema.all_there",
    ],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "AlertStatus": "webhooks.models.LogStatus",
        "PositionStatus": "positions.models.LotStatus",
        "Direction": "trades.direction.Direction",
    },
}
