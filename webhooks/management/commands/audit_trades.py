"""`manage.py audit_trades`: trades against their alerts, and alerts against their trail."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tabulate import tabulate
from tqdm import tqdm

from audit.shown import counted
from trades.models import Strategy
from webhooks import trail
from webhooks.trade_audit import Discrepancy, audit


class Command(BaseCommand):
    help = (
        "Recompute every trade from its alerts as they came in, and tell each difference; "
        "changes nothing. With --verify-chain first check that no alert was changed, removed "
        "or put in (docs/trail.md). Exit status: 0 nothing was found, 1 something was, 2 usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--strategy", metavar="S", help="only the trades of this strategy")
        parser.add_argument(
            "--verify-chain",
            action="store_true",
            help="also verify the tamper-evident trail of all alerts",
        )
        parser.add_argument(
            "--format",
            choices=("table", "json"),
            default="table",
            help="json: one object with discrepancies, breaks (with --verify-chain) and clean",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        strategy = options["strategy"]
        if strategy is not None and not Strategy.objects.filter(name=strategy).exists():
            raise CommandError(f"There is no strategy {strategy}.", returncode=2)
        breaks = self._verify() if options["verify_chain"] else None
        found = list(audit(strategy, partial(tqdm, unit=" books", leave=False, disable=None)))
        if options["format"] == "json":
            told = {
                "discrepancies": [discrepancy.as_json() for discrepancy in found],
                **({} if breaks is None else {"breaks": [one.as_json() for one in breaks]}),
                "clean": not found and not breaks,
            }
            self.stdout.write(json.dumps(told, indent=2))
        else:
            if breaks is not None:
                self._write_breaks(breaks)
            self._write_discrepancies(found)
        if found or breaks:
            sys.exit(1)

    def _verify(self) -> list[trail.Break]:
        rows = trail.rows_to_check() if sys.stderr.isatty() else None
        with tqdm(total=rows, unit=" rows", leave=False, disable=None) as progress:
            found = list(trail.verify(progress.update))
        # What is gone has no id: it comes after what can be looked at.
        return sorted(found, key=lambda one: (one.log_id is None, one.log_id or 0))

    def _write_breaks(self, breaks: list[trail.Break]) -> None:
        if not breaks:
            self.stdout.write("The trail holds: no alert was changed, removed or put in.")
            return
        self.stdout.write(f"The trail does not hold. First: {breaks[0].sentence}")
        for one in breaks[1:]:
            self.stdout.write(f"  {one.sentence}")

    def _write_discrepancies(self, found: list[Discrepancy]) -> None:
        if not found:
            self.stdout.write("Every trade is what its alerts come to.")
            return
        rows = [
            (one.trade or "-", one.strategy, one.symbol, one.field or "-", one.kept, one.recomputed)
            for one in found
        ]
        headers = ("trade", "strategy", "symbol", "field", "kept", "recomputed")
        self.stdout.write(
            tabulate(
                rows,
                headers=headers,
                maxcolwidths=(None, 20, 20, None, 40, 40),
                disable_numparse=True,
            )
        )
        for one in found:
            if not one.field:
                self.stdout.write(one.sentence)
        self.stdout.write(f"{counted(len(found), 'difference')}.")
