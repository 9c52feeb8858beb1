"""What a comparison with an export found, as tables and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from audit.shown import counted
from trades.comparison.groups import TradeGroup
from trades.comparison.matching import Difference, Pair
from trades.models import ImportBatch
from trades.numeric import exactly, plain
from webhooks.export_comparison import Comparison, Missing


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the report."""

    title: str
    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]


_TRADE = ("direction", "quantity", "entry (UTC)", "at", "exit (UTC)", "at", "P&L")


def told_setting(comparison: Comparison) -> list[str]:
    """What was compared with what, in sentences."""
    setting, export = comparison.setting, comparison.export
    said = "" if setting.book_was_named else " (found by its trades: no other book's fit)"
    tolerances = comparison.tolerances
    time = "a day" if setting.by_day else f"{tolerances.time.total_seconds():.0f} s"
    return [
        f"{export.file_name or 'The file'}: {counted(len(export.trades), 'trade')} of "
        f"{setting.strategy.name} on {setting.symbol}{said}.",
        _told_zone(comparison),
        f"Tolerances: {time} of time, {tolerances.price} of a price, {tolerances.quantity} of a "
        "quantity.",
        *(
            f"“{name}” is left out: prices are in {export.trades[0].currency}."
            for name in export.left_out
        ),
    ]


def _told_zone(comparison: Comparison) -> str:
    setting, fit = comparison.setting, comparison.setting.fit
    if setting.by_day:
        named = setting.zone_was_named
        return (
            "Time zone of the chart: not needed to compare, since the list tells dates alone; "
            + (f"to import {setting.zone_name}, as named." if named else "name it to import.")
        )
    if setting.zone_was_named:
        line = f"Time zone of the chart: {setting.zone_name}, as named"
        if fit is not None and fit.fitted > setting.fitted:
            return (
                f"{line}; but {fit.fitted} of {fit.sampled} trades were entered as here if it is "
                f"{fit.name}, and {setting.fitted} if it is {setting.zone_name}."
            )
        return f"{line}."
    if fit is None:
        return "Time zone of the chart: not known, since no trade fits in any; taken for UTC."
    rival = f", {fit.rival_fitted} in {fit.rival}" if fit.rival else ", none in any other"
    sure = "" if fit.is_sure else " That is not sure; name it."
    return (
        f"Time zone of the chart: {fit.name}, found by best fit: {fit.fitted} of {fit.sampled} "
        f"entries are as here in it{rival}.{sure}"
    )


def told_counts(comparison: Comparison) -> list[str]:
    """How many of each, in sentences."""
    lines = [
        f"{len(comparison.matched)} matched, {len(comparison.differing)} differ, "
        f"{len(comparison.missing_here)} missing here, {len(comparison.missing_there)} missing "
        "there."
    ]
    if comparison.outside:
        lines.append(
            f"{counted(len(comparison.outside), 'trade')} here from before or after the export's "
            "time: not compared."
        )
    if pnl := _pnl(comparison.matched):
        lines.append(
            f"P&L of those matched: {plain(pnl[0]):,f} as TradingView tells it, "
            f"{plain(pnl[1]):,f} here."
        )
    return lines


def _pnl(pairs: Iterable[Pair]) -> tuple[Decimal, Decimal] | None:
    """The P&L of trades of which both sides tell one, theirs and ours."""
    told = [
        (pair.theirs.pnl, pair.ours.pnl)
        for pair in pairs
        if pair.theirs.pnl is not None and pair.ours.pnl is not None
    ]
    if not told:
        return None
    with exactly():
        return sum((one for one, _ in told), Decimal(0)), sum((one for _, one in told), Decimal(0))


def sections(comparison: Comparison) -> list[Section]:
    """The tables that have rows."""
    found = (
        Section(
            "Missing here",
            ("trade", *_TRADE, "likely cause", "see"),
            [_missing_row(missing) for missing in comparison.missing_here],
        ),
        Section(
            "Missing there: TradingView does not list them",
            ("here", *_TRADE),
            [(_our_ids(group), *_trade_cells(group)) for group in comparison.missing_there],
        ),
        Section(
            "Differing",
            ("trade", "here", "direction", "entry (UTC)", "field", "TradingView", "here", "by"),
            [
                _difference_row(pair, one)
                for pair in comparison.differing
                for one in pair.differences
            ],
        ),
    )
    return [section for section in found if section.rows]


def _missing_row(missing: Missing) -> tuple[str, ...]:
    cause = missing.cause
    ids = [
        *(f"alert {one}" for one in cause.alerts),
        *(f"log entry {one}" for one in cause.entries),
        *(f"refusal {one}" for one in cause.refusals),
        *map(_our_ids, missing.entered),
    ]
    return (
        _numbers(missing.theirs.trades), *_trade_cells(missing.theirs), missing.sentence,
        ", ".join(ids),
    )  # fmt: skip


def _difference_row(pair: Pair, difference: Difference) -> tuple[str, ...]:
    return (
        _numbers(pair.theirs.trades),
        _our_ids(pair.ours),
        pair.theirs.direction.value,
        shown(pair.theirs.entry_time),
        difference.field.replace("_", " "),
        shown(difference.theirs),
        shown(difference.ours),
        shown(difference.by),
    )


def _trade_cells(group: TradeGroup) -> tuple[str, ...]:
    return (
        group.direction.value,
        shown(group.quantity),
        shown(group.entry_time),
        shown(group.entry_price),
        shown(group.exit_time),
        shown(group.exit_price),
        "" if group.pnl is None else shown(group.pnl),
    )


def _our_ids(group: TradeGroup) -> str:
    told = [f"trade {_numbers(group.trades)}"] if group.trades else []
    return ", ".join([*told, *(f"lot {lot}" for lot in group.lots)])


def _numbers(ids: tuple[int, ...]) -> str:
    return ", ".join(map(str, ids))


def shown(value: datetime | Decimal | timedelta | None) -> str:
    """A trade's value as text; times in UTC."""
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
        case timedelta():
            return f"{'-' if value < timedelta() else ''}{abs(value)}"
        case Decimal():
            return _number(value)
    return "open"


def _number(number: Decimal) -> str:
    return f"{plain(number):f}"


def told_import(comparison: Comparison, batch: ImportBatch | None) -> list[str]:
    """What was imported of what is missing, in sentences."""
    lines = ["Nothing to import."]
    if batch is not None:
        lines = [
            f"Imported {counted(batch.count, 'trade')} as import {batch.pk}; "
            f"`reconcile_positions --undo-import {batch.pk}` takes them out again."
        ]
    reasons = Counter(missing.left_out for missing in comparison.missing_here if missing.left_out)
    for reason, number in reasons.items():
        lines.append(f"{counted(number, 'trade')} not imported: {reason}.")
    return lines


def as_json(comparison: Comparison) -> dict[str, Any]:
    """All of it in JSON's own types; numbers as text, to the last digit, times in UTC."""
    setting, export, fit = comparison.setting, comparison.export, comparison.setting.fit
    pnl = _pnl(comparison.matched)
    return {
        "file": {
            "name": export.file_name,
            "sha256": export.sha256,
            "trades": len(export.trades),
            "left_out": list(export.left_out),
        },
        "strategy": setting.strategy.name,
        "symbol": setting.symbol,
        "book_found_by_fit": not setting.book_was_named,
        "time_zone": {
            "name": setting.zone_name,
            "found_by_fit": not setting.zone_was_named,
            "sure": setting.zone_is_sure,
            "fitted": setting.fitted,
            "of": fit.sampled if fit else 0,
            "best": fit and fit.name,
            "next_best": fit and fit.rival,
            "next_best_fitted": fit.rival_fitted if fit else 0,
        },
        "tolerances": {
            "seconds": comparison.tolerances.time.total_seconds(),
            "price": str(comparison.tolerances.price),
            "quantity": str(comparison.tolerances.quantity),
        },
        "matched": [_pair_json(pair) for pair in comparison.matched],
        "missing_here": [
            {
                **_group_json(missing.theirs),
                "cause": missing.cause.as_json(),
                "importable": not missing.left_out,
                "left_out": missing.left_out,
                "entered_here": [_group_json(group) for group in missing.entered],
            }
            for missing in comparison.missing_here
        ],
        "missing_there": [_group_json(group) for group in comparison.missing_there],
        "differing": [
            {
                **_pair_json(pair),
                "differences": {one.field: _difference_json(one) for one in pair.differences},
            }
            for pair in comparison.differing
        ],
        "outside": len(comparison.outside),
        "matched_pnl": pnl and {"tradingview": _number(pnl[0]), "here": _number(pnl[1])},
        "clean": comparison.is_clean,
    }


def _pair_json(pair: Pair) -> dict[str, Any]:
    return {"tradingview": _group_json(pair.theirs), "here": _group_json(pair.ours)}


def _group_json(group: TradeGroup) -> dict[str, Any]:
    return {
        "trades": list(group.trades),
        "lots": list(group.lots),
        "direction": group.direction.value,
        "quantity": _number(group.quantity),
        "entry_time": group.entry_time.isoformat(),
        "entry_price": _number(group.entry_price),
        "exit_time": group.exit_time and group.exit_time.isoformat(),
        "exit_price": None if group.exit_price is None else _number(group.exit_price),
        "pnl": None if group.pnl is None else _number(group.pnl),
    }


def _difference_json(difference: Difference) -> dict[str, Any]:
    by = difference.by
    return {
        "tradingview": _value_json(difference.theirs),
        "here": _value_json(difference.ours),
        "by": by.total_seconds() if isinstance(by, timedelta) else _value_json(by),
    }


def _value_json(value: datetime | Decimal | None) -> str | None:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if value is None else _number(value)
