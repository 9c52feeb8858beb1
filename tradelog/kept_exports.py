"""An export between two requests: signed, and kept by the page itself.

Comparing and importing are two requests, which two processes may get, on two hosts; so
what was compared travels with the page, and no process has to keep files for later.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.core import signing

from trades.comparison.tolerances import Tolerances, read_tolerance
from trades.direction import Direction
from trades.exports.exported import Export, ExportedTrade
from webhooks.export_comparison import Choice

#: Names what is kept: a page from before an update that changed it is too old.
_SALT: Final = " ".join(["tradelog.kept_exports", *(field.name for field in fields(ExportedTrade))])
#: How long a page may be open before its button is too old.
_MOST_AGE: Final = timedelta(hours=1)
#: Django takes forms of 2.5 MB.
_MOST_CHARACTERS: Final = 2_000_000

_TIMES: Final = ("entry_time", "exit_time")
_NUMBERS: Final = ("quantity", "entry_price", "exit_price", "pnl", "commission")


class TooManyTrades(Exception):
    """The export is too long for a page to keep."""


def keep(export: Export, choice: Choice) -> str:
    """The export and what it is compared with, as text that nobody can change.

    Which columns were left out is told with the comparison, and not kept. Raises TooManyTrades.
    """
    told = {
        "file": [export.file_name, export.sha256, _written(export.last_time)],
        "trades": [
            [_written(getattr(trade, field.name)) for field in fields(trade)]
            for trade in export.trades
        ],
        "choice": [choice.strategy, choice.symbol, choice.time_zone],
        "tolerances": [
            choice.tolerances.time.total_seconds(),
            str(choice.tolerances.price),
            str(choice.tolerances.quantity),
        ],
    }
    text = signing.dumps(told, salt=_SALT, compress=True)
    if len(text) > _MOST_CHARACTERS:
        raise TooManyTrades
    return text


def kept(text: str) -> tuple[Export, Choice]:
    """What `keep` was given; raises BadSignature, and SignatureExpired of it where it is old."""
    told = signing.loads(text, salt=_SALT, max_age=_MOST_AGE)
    name, sha256, last_time = told["file"]
    seconds, price, quantity = told["tolerances"]
    strategy, symbol, time_zone = told["choice"]
    return (
        Export(name, sha256, tuple(map(_trade, told["trades"])), datetime.fromisoformat(last_time)),
        Choice(
            strategy,
            symbol,
            time_zone,
            Tolerances(timedelta(seconds=seconds), read_tolerance(price), read_tolerance(quantity)),
        ),
    )


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, (Decimal, Direction)) else value


def _trade(values: list[Any]) -> ExportedTrade:
    told = ExportedTrade(*values)
    read: dict[str, Any] = {"direction": Direction(told.direction)}
    for names, convert in ((_TIMES, datetime.fromisoformat), (_NUMBERS, Decimal)):
        for field in names:
            value: Any = getattr(told, field)
            read[field] = None if value is None else convert(value)
    return replace(told, **read)
