"""Brings in what an export has and the log has not."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from trades.comparison.zones import ZoneFit, ZoneSearch
from trades.exports.exported import Export
from trades.imports import Source, import_trades
from trades.models import ImportBatch
from webhooks.export_book import currency_of, our_groups
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
    if (fit := _fits_elsewhere(comparison)) is not None:
        raise NotComparable(
            f"{fit.fitted} of {fit.sampled} trades that would be imported are here already if the "
            f"time zone of the chart is {fit.name} and not {setting.zone_name}. Name the right "
            "one; if an import brought them here in the wrong one, undo that first."
        )
    currency = currency_of(setting.strategy, setting.symbol)
    source = Source(
        export.file_name,
        export.sha256,
        setting.zone_name,
        export.trades[0].currency if currency is None else currency,
        imported_by,
        comparison.bar.length,
    )
    batch = import_trades(comparison.importable, setting.strategy, setting.symbol, source)
    return comparison, batch


def _fits_elsewhere(comparison: Comparison) -> ZoneFit | None:
    """The zone in which more of what is to be imported is here than matches in the one used.

    A single trade tells none: another one may have had the same prices.
    """
    numbers = {number for group in comparison.importable for number in group.trades}
    trades = [trade for trade in comparison.export.trades if trade.number in numbers]
    setting = comparison.setting
    theirs = {
        number
        for group in (
            *(pair.ours for pair in (*comparison.matched, *comparison.differing)),
            *(group for missing in comparison.missing_here for group in missing.entered),
        )
        for number in group.trades
    }
    ours = [
        group
        for group in our_groups(setting.strategy, setting.symbol)
        # By its entry's price alone, what is open is like too many.
        if group.exit_time is not None and theirs.isdisjoint(group.trades)
    ]
    fit = ZoneSearch(trades, comparison.tolerances).best(ours)
    if fit is None or fit.fitted < 2:
        return None
    # Of many trades only a sample was tried.
    return fit if fit.fitted * len(trades) > len(comparison.matched) * fit.sampled else None
