"""`manage.py reconcile_positions`: what does not hold, and on request its mending."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tabulate import tabulate
from tqdm import tqdm

from audit.shown import counted
from positions.findings import Finding
from trades.comparison.tolerances import (
    Tolerances,
    read_time_tolerance,
    read_tolerance,
    usual_tolerances,
)
from trades.exports.exported import Export
from trades.exports.reader import read_export_file
from trades.exports.unreadable import ExportUnreadable
from trades.imports import NotUndoable, undo
from trades.models import ImportBatch, Strategy
from wal.models import Entry
from webhooks.drift import BookApart, books_apart
from webhooks.export_comparison import Choice, Comparison, NotComparable, compare
from webhooks.export_import import import_missing
from webhooks.export_report import as_json, sections, told_counts, told_import, told_setting
from webhooks.reconcile import Mended, find, mend


class Command(BaseCommand):
    help = (
        "Check that log, alerts, lots and trades tell the same; changes nothing without --fix. "
        "Tells as well which books TradingView's own position was last told apart from (drift). "
        "--fix mends what can be derived from the log, by book and by log entry, and records every "
        "row it changed in the table reconciliations. "
        "Exit status: 0 nothing was found, or with --fix nothing is left; 1 something was found, "
        "or with --fix something is left; 2 usage. "
        "With --tradingview FILE the trades are compared with TradingView's own list instead, "
        "which its strategy tester exports as CSV or XLSX: what is missing here, and why, what is "
        "missing there, what differs. Exit status: 0 they agree, or with --import do so now; 1 "
        "they differ; 2 usage, or the file cannot be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="mend what can be mended")
        parser.add_argument("--strategy", metavar="S", help="only the books of this strategy")
        parser.add_argument(
            "--format",
            choices=("table", "json"),
            default="table",
            help="json: one object with findings (with --fix: those left), fixed, clean, and the "
            "books that are apart from TradingView's own position",
        )
        self._add_export_arguments(parser.add_argument_group("comparing with an export"))

    def _add_export_arguments(self, group: Any) -> None:
        default = Tolerances()
        group.add_argument("--tradingview", metavar="FILE", help="a list of trades, CSV or XLSX")
        group.add_argument("--symbol", metavar="SYM", help="only this symbol's book")
        group.add_argument(
            "--timezone",
            metavar="Z",
            help="the chart's, such as Europe/Berlin; default: the one in which most trades fit",
        )
        group.add_argument(
            "--time-tolerance",
            type=_argument(read_time_tolerance, "time"),
            metavar="T",
            help="how far times may be apart: seconds, or such as 5m (60; 1d where the list tells "
            "dates alone)",
        )
        for name, tolerance in (("price", default.price), ("quantity", default.quantity)):
            group.add_argument(
                f"--{name}-tolerance",
                type=_argument(read_tolerance, "tolerance"),
                metavar="X",
                help=f"how far {name} may be apart: an amount, or a share such as 0.1%% "
                f"({str(tolerance).replace('%', '%%')})",
            )
        group.add_argument(
            "--import",
            action="store_true",
            dest="import_missing",
            help="bring in the closed trades that are missing here, as one batch",
        )
        group.add_argument(
            "--undo-import", type=int, metavar="BATCH", help="take an import's trades out again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _check_combination(options)
        if options["undo_import"] is not None:
            return self._undo(options["undo_import"])
        if options["tradingview"] is not None:
            return self._compare(options)
        strategy = options["strategy"]
        if strategy is not None and not Strategy.objects.filter(name=strategy).exists():
            raise CommandError(f"There is no strategy {strategy}.", returncode=2)
        fixed: list[Mended] = []
        with tqdm(
            total=None if options["fix"] or strategy else Entry.objects.count(),
            unit=" entries",
            leave=False,
            disable=None,
        ) as progress:
            advance: Callable[[int], object] = progress.update
            if options["fix"]:
                fixed, found = mend(strategy, advance)
            else:
                found = find(strategy, advance)
        apart = books_apart(strategy)
        if options["format"] == "json":
            self._write_json(fixed, found, apart)
        else:
            self._write_tables(fixed, found, fix=options["fix"])
            self._write_apart(apart)
        if found:
            sys.exit(1)

    def _compare(self, options: dict[str, Any]) -> None:
        batch: ImportBatch | None = None
        try:
            with tqdm(total=2, leave=False, disable=None) as progress:
                progress.set_description("reading the file")
                export = read_export_file(Path(options["tradingview"]))
                progress.update()
                progress.set_description("comparing trades")
                choice = Choice(
                    options["strategy"],
                    options["symbol"],
                    options["timezone"],
                    _tolerances(options, export),
                )
                if options["import_missing"]:
                    comparison, batch = import_missing(export, choice, None)
                else:
                    comparison = compare(export, choice)
        except (ExportUnreadable, NotComparable) as error:
            raise CommandError(str(error), returncode=2) from None
        if options["format"] == "json":
            told = {**as_json(comparison), "import": batch and batch.pk}
            self.stdout.write(json.dumps(told, indent=2))
        else:
            self._write_comparison(comparison)
            if options["import_missing"]:
                self.stdout.write("\n".join(["", *told_import(comparison, batch)]))
        if not comparison.is_clean_but_for(batch):
            sys.exit(1)

    def _write_comparison(self, comparison: Comparison) -> None:
        self.stdout.write("\n".join(told_setting(comparison)))
        for section in sections(comparison):
            self.stdout.write(f"\n{section.title}:")
            self.stdout.write(
                tabulate(
                    section.rows,
                    headers=section.headers,
                    maxcolwidths=[46 if name == "likely cause" else 20 for name in section.headers],
                    disable_numparse=True,
                )
            )
        self.stdout.write("\n".join(["", *told_counts(comparison)]))

    def _undo(self, batch_id: int) -> None:
        try:
            batch = undo(batch_id, None)
        except ImportBatch.DoesNotExist:
            raise CommandError(f"There is no import {batch_id}.", returncode=2) from None
        except NotUndoable as error:
            raise CommandError(str(error)) from None
        trades = counted(batch.count, "trade")
        self.stdout.write(f"Import {batch.pk} is undone: {trades} taken out.")

    def _write_json(
        self, fixed: list[Mended], found: list[Finding], apart: list[BookApart]
    ) -> None:
        told = {
            "findings": [finding.as_json() for finding in found],
            "fixed": [mended.as_json() for mended in fixed],
            "clean": not found,
            "apart": [book.as_json() for book in apart],
        }
        self.stdout.write(json.dumps(told, indent=2))

    def _write_tables(self, fixed: list[Mended], found: list[Finding], *, fix: bool) -> None:
        if fixed:
            records = [mended.reconciliation for mended in fixed if mended.reconciliation]
            self.stdout.write("Mended:")
            self.stdout.write(_table([one for mended in fixed for one in mended.findings]))
            if records:
                listed = ", ".join(map(str, records))
                self.stdout.write(f"What changed is recorded in reconciliations: {listed}.")
        if not found:
            self.stdout.write("Nothing is left." if fixed else "Everything adds up.")
            return
        if fixed:
            self.stdout.write("Left:")
        self.stdout.write(_table(found))
        mendable = sum(finding.mendable for finding in found)
        self.stdout.write(
            counted(len(found), "finding")
            + (
                "; the log does not tell how to mend them."
                if not mendable
                else f", of which {mendable} could not be mended now: try it again later."
                if fix
                else f", of which --fix mends {mendable}."
            )
        )

    def _write_apart(self, apart: list[BookApart]) -> None:
        """Tell of drift that stands: the log cannot tell who is right, so it is no finding."""
        if not apart:
            return
        self.stdout.write("\nTradingView's own position was another when it was last told:")
        self.stdout.write(
            tabulate(
                [
                    (book.strategy, book.symbol, book.tradingview, book.here, book.alert)
                    for book in apart
                ],
                headers=("strategy", "symbol", "TradingView", "here", "after alert"),
                maxcolwidths=20,
                disable_numparse=True,
            )
        )
        self.stdout.write(
            "An alert was missed, or its quantity was another. Compare with TradingView's list of "
            "trades (--tradingview FILE): it names what is missing here, and --import brings it in."
        )


#: What goes only with an export, as the command line spells it.
_WITH_EXPORT = {
    "symbol": "--symbol",
    "timezone": "--timezone",
    "time_tolerance": "--time-tolerance",
    "price_tolerance": "--price-tolerance",
    "quantity_tolerance": "--quantity-tolerance",
    "import_missing": "--import",
}


def _check_combination(options: dict[str, Any]) -> None:
    given = [name for option, name in _WITH_EXPORT.items() if options[option] not in (None, False)]
    if options["tradingview"] is None and given:
        raise CommandError(f"{given[0]} goes with --tradingview FILE.", returncode=2)
    modes = {"fix": "--fix", "tradingview": "--tradingview", "undo_import": "--undo-import"}
    chosen = [name for option, name in modes.items() if options[option] not in (None, False)]
    if len(chosen) > 1:
        raise CommandError(f"{chosen[0]} and {chosen[1]} do not go together.", returncode=2)


def _tolerances(options: dict[str, Any], export: Export) -> Tolerances:
    given = {
        name: options[f"{name}_tolerance"]
        for name in ("time", "price", "quantity")
        if options[f"{name}_tolerance"] is not None
    }
    return replace(usual_tolerances(export), **given)


def _argument(read: Callable[[str], Any], name: str) -> Callable[[str], Any]:
    """The function, with its own words where argparse would have none."""

    def argument(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    argument.__name__ = name
    return argument


def _table(findings: list[Finding]) -> str:
    return tabulate(
        [
            (
                finding.kind,
                finding.strategy,
                finding.symbol,
                finding.sentence,
                "yes" if finding.mendable else "no",
            )
            for finding in findings
        ],
        headers=("kind", "strategy", "symbol", "finding", "mendable"),
        maxcolwidths=(None, 20, 20, 70, None),
        disable_numparse=True,
    )
