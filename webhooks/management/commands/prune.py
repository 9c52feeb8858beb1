"""`manage.py prune`: what is old and explains no trade, forgotten."""

from __future__ import annotations

import sys
from datetime import UTC, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone
from tqdm import tqdm

from arguments import whole_number
from audit.shown import counted
from faults import lacks_tables
from wal.partitions import keep_up
from wal.retention import give_back_pages
from webhooks.pruning import BATCH, MOST_TOGETHER, Pruned, number_of_old_rows, prune

#: A hundred years.
_MOST_DAYS = 36500


class Command(BaseCommand):
    help = (
        "Delete what is older than RETENTION_DAYS and explains no trade: settled entries of the "
        "write-ahead log, rejected alerts, records of alerts refused by rate. Trades, lots and "
        "the alerts they came from stay for ever, and so does what still waits in the log. Safe "
        "beside a running server, and safe to interrupt. "
        "Exit status: 0 done; 1 it failed, or old entries stay because webhook_logs does not "
        "know them; 2 usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=whole_number("number of days", _MOST_DAYS),
            metavar="DAYS",
            help=f"what was received more than DAYS days ago "
            f"(RETENTION_DAYS; now {settings.RETENTION_DAYS})",
        )
        parser.add_argument(
            "--batch",
            type=whole_number("number of rows", MOST_TOGETHER),
            default=BATCH,
            metavar="N",
            help="rows in one transaction (%(default)s); an alert that comes waits for one at most",
        )
        parser.add_argument(
            "--log-only",
            action="store_true",
            help="leave rejected alerts alone: where hosts have logs of their own, each prunes its "
            "log before one of them prunes the alerts (docs/scaling.md)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say how many there are")

    def handle(self, *args: Any, **options: Any) -> None:
        before = timezone.now() - timedelta(days=options["older_than"] or settings.RETENTION_DAYS)
        on_terminal = sys.stderr.isatty()
        try:
            with tqdm(
                total=number_of_old_rows(before) if on_terminal else None,
                unit=" rows",
                leave=False,
                disable=not on_terminal,
            ) as progress:
                pruned = prune(
                    before,
                    batch=options["batch"],
                    dry_run=options["dry_run"],
                    log_only=options["log_only"],
                    advance=progress.update,
                )
            given_back, free = (0, 0) if options["dry_run"] else give_back_pages()
            kept = None if options["dry_run"] else keep_up(timezone.now().astimezone(UTC).date())
        except DatabaseError as error:
            if lacks_tables(error):
                raise
            raise CommandError(
                f"Cut off ({' '.join(str(error).split())}): what was deleted until then is "
                "complete in itself; run it again."
            ) from error
        word = "Would delete" if options["dry_run"] else "Deleted"
        self.stdout.write(f"{word} what came before {before:%Y-%m-%d %H:%M} UTC: {_told(pruned)}.")
        if kept and kept.made:
            self.stdout.write(f"Months made: {', '.join(kept.made)}.")
        if kept and kept.dropped:
            self.stdout.write(f"Months dropped: {', '.join(kept.dropped)}.")
        if given_back:
            self.stdout.write(f"The log's file gave back {given_back / 1_000_000:,.1f} MB.")
        if free:
            self.stdout.write(f"{free / 1_000_000:,.1f} MB are free in it, to be filled again.")
        if pruned.kept:
            self.stderr.write(
                f"Not deleted: {counted(pruned.kept, 'settled log entry', 'settled log entries')} "
                "of which webhook_logs does not tell the same. `manage.py reconcile_positions` "
                "says what."
            )
            sys.exit(1)


def _told(pruned: Pruned) -> str:
    return ", ".join(
        (
            counted(pruned.entries, "log entry", "log entries"),
            counted(pruned.alerts, "rejected alert"),
            counted(pruned.refusals, "refusal by rate", "refusals by rate"),
        )
    )
