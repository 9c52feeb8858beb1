"""Brings in what an export has and the log has not."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from trades.exports.exported import Export
from trades.imports import Source, import_trades
from trades.models import ImportBatch
from webhooks.export_comparison import Choice, Comparison, NotComparable, compare_in, setting_of
from webhooks.signal import book_name
from webhooks.standing import lock_book


@transaction.atomic
def import_missing(
    export: Export, choice: Choice, imported_by: User | None
) -> tuple[Comparison, ImportBatch | None]:
    """Import the closed trades that are missing here, as one batch; None where there are none.

    What will still come by itself, from the log, is left out. Done again, with this file
    or another of the same trades, it finds nothing to do. `imported_by` is None for the
    command line. Returns the comparison from before. Raises NotComparable.
    """
    setting = setting_of(export, choice)
    if not setting.zone_is_sure:
        raise NotComparable(
            "The time zone of the export cannot be told for sure, and imported trades need it: "
            "name it. TradingView shows it below the chart, on the right."
        )
    # Held to the end, so that nothing comes between looking and importing.
    lock_book(book_name(setting.strategy.name, setting.symbol))
    comparison = compare_in(export, setting, choice.tolerances)
    if not comparison.importable:
        return comparison, None
    source = Source(
        export.file_name,
        export.sha256,
        setting.zone_name,
        next((trade.currency for trade in export.trades), ""),
        imported_by,
    )
    batch = import_trades(comparison.importable, setting.strategy, setting.symbol, source)
    return comparison, batch
