"""`manage.py replay_wal`: what the log still holds, applied now."""

from __future__ import annotations

import logging
import sys
import threading
from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

import garbage
from arguments import whole_number
from audit.shown import counted
from data_folder import InUse, sole_server
from faults import DatabaseUnavailable
from stopping import told_to_stop
from wal import journal
from wal.models import Entry, EntryStatus
from webhooks.replay import Choice, check_tables, chosen, how_many, line_about, replay
from webhooks.settler import stop_settling
from webhooks.side_by_side import (
    MOST,
    WORTH_ANOTHER,
    WORTH_IT,
    Progress,
    processes_for,
    settle_side_by_side,
)
from webhooks.since_backup import set_back, settled_since_backup


class Command(BaseCommand):
    help = (
        "Apply the write-ahead log's unsettled entries, in log order, through the same "
        "pipeline as live alerts. Safe at any time, also while the server runs. The log is the "
        "one of TRADELOG_DATA or WAL_DATABASE_URL, also that of a host that is gone. "
        "Exit status: 0 all well, 1 something of what was chosen failed or stays in the log, "
        "2 usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be replayed; change nothing"
        )
        parser.add_argument(
            "--failed", action="store_true", help="also try once more what failed before"
        )
        parser.add_argument(
            "--restored",
            action="store_true",
            help="first set back what this log has settled since the backup that another host "
            "has restored the main database from (`restore --keep-log`); before this host's "
            "server starts, which must not run",
        )
        parser.add_argument(
            "--id",
            type=whole_number("id of an entry"),
            action="append",
            default=[],
            metavar="N",
            help="this entry alone (webhook_wal.id); may be given several times",
        )
        parser.add_argument(
            "--since",
            type=_moment,
            metavar="T",
            help="only entries received at T or later (ISO 8601; UTC where it names no zone)",
        )
        parser.add_argument(
            "--limit", type=whole_number("number of entries"), metavar="N", help="at most N entries"
        )
        parser.add_argument(
            "--follow", action="store_true", help="go on, once a second, until SIGTERM or Ctrl-C"
        )
        parser.add_argument(
            "--processes",
            type=whole_number("number of processes"),
            metavar="N",
            help="share everything among N processes, each with books of its own "
            f"(by itself: one a core from {WORTH_IT:,} entries on, one more from "
            f"{WORTH_ANOTHER:,} on, {MOST} at most)",
        )

    def run_from_argv(self, argv: list[str]) -> None:
        # The process is this command's alone, and may have much to do.
        garbage.collect_seldom()
        if sys.stderr.isatty():
            # The bar tells how far it is; a line for each alert would tear it, and takes an
            # eighth of the time.
            logging.getLogger("webhooks").setLevel(logging.WARNING)
        super().run_from_argv(argv)

    def handle(self, *args: Any, **options: Any) -> None:
        choice = Choice(
            entry_ids=frozenset(options["id"]),
            failed=options["failed"],
            since=options["since"],
            limit=options["limit"],
            only_free=options["follow"],
        )
        if options["follow"] and options["dry_run"]:
            raise CommandError("--dry-run looks once; --follow goes on.", returncode=2)
        if options["follow"] and (choice.entry_ids or choice.failed):
            # Each second it would choose the same again.
            raise CommandError("--id and --failed choose once; --follow goes on.", returncode=2)
        if choice.entry_ids and choice.since:
            raise CommandError("--id names its entries; --since chooses others.", returncode=2)
        if options["processes"] and choice != Choice():
            raise CommandError("--processes is for everything, not for a choice.", returncode=2)
        held = Entry.objects.filter(pk__in=choice.entry_ids).values_list("pk", flat=True)
        if unknown := sorted(choice.entry_ids.difference(held)):
            listed = ", ".join(map(str, unknown))
            raise CommandError(f"The log holds no entry {listed}.", returncode=2)
        if options["restored"]:
            self._set_back(dry_run=options["dry_run"])
        if options["dry_run"]:
            self._show(choice)
            return self._tell_of_parked()
        check_tables()
        if options["follow"]:
            return self._follow(choice)
        try:
            trouble = self._replay(choice, options["processes"])
        except KeyboardInterrupt:
            return
        self._tell_of_parked()
        if trouble:
            sys.exit(1)

    def _follow(self, choice: Choice) -> None:
        with told_to_stop() as stop:
            while not stop.is_set():
                self._replay(choice, stop=stop)
                stop.wait(1)
            stop_settling()
            # As a server's worker does: nothing stays claimed until a lease ends.
            journal.release_own()

    def _set_back(self, *, dry_run: bool) -> None:
        check_tables()
        try:
            with (
                sole_server(settings.TRADELOG_DATA, "its log being compared"),
                tqdm(unit=" entries", leave=False, disable=None) as bar,
            ):
                entry_ids = settled_since_backup(bar.update)
                if not dry_run:
                    set_back(entry_ids)
        except InUse as error:
            raise CommandError(f"{error} Stop it first; nothing was changed.") from error
        number = len(entry_ids)
        verb = "would be" if dry_run else "was" if number == 1 else "were"
        self.stdout.write(f"{counted(number, 'entry', 'entries')} {verb} set back.")

    def _tell_of_parked(self) -> None:
        if waiting := journal.having(EntryStatus.PARKED).count():
            wait = counted(waiting, "exit waits for its", "exits wait for their")
            self.stdout.write(
                f"{wait} entry, for PARK_SECONDS ({settings.PARK_SECONDS}) at most; then a server "
                "of this log, or another replay, settles what is left."
            )

    def _show(self, choice: Choice) -> None:
        shown = 0
        for entry in chosen(choice):
            shown += 1
            waited = (timezone.now() - entry.received_at).total_seconds()
            self.stdout.write(
                f"entry {entry.pk}: {entry.status}, received {entry.received_at:%Y-%m-%d %H:%M:%S}"
                f" UTC ({waited:.0f} s ago), {entry.attempts} attempts"
                + (f", last: {entry.last_error}" if entry.last_error else "")
            )
        self.stdout.write(f"{counted(shown, 'entry', 'entries')} would be replayed.")

    def _replay(
        self,
        choice: Choice,
        processes: int | None = None,
        stop: threading.Event | None = None,
    ) -> bool:
        """Replay once, or until told to stop; tell whether any entry failed or stays in the log."""
        settled = failed = staying = 0
        entries = how_many(choice)
        # Plain lines in a pipe, a bar on a terminal.
        has_bar = sys.stderr.isatty() and not choice.only_free
        if choice == Choice():
            processes = processes or processes_for(entries)
        with tqdm(total=entries, unit=" entries", disable=not has_bar) as bar:
            for progress in _progress(choice, processes or 1, entries):
                settled += progress.settled
                failed += len(progress.failed)
                staying += len(progress.staying) + progress.untried
                for line in (*progress.failed, *progress.staying):
                    with bar.external_write_mode(file=self.stdout):
                        self.stdout.write(line)
                bar.update(progress.settled + len(progress.staying))
                if stop and stop.is_set():
                    break
        if settled or staying or not choice.only_free:
            self.stdout.write(_told(settled, failed, staying))
        return bool(failed or staying)


def _progress(choice: Choice, processes: int, entries: int) -> Iterator[Progress]:
    """Replay so many entries, in one process or in several, and tell how far it is."""
    left, is_away = entries, False
    if processes > 1:
        for progress in settle_side_by_side(processes):
            left -= progress.settled
            yield progress
    for replayed in replay(choice):
        left -= 1
        if replayed.is_settled_well:
            yield Progress(settled=1)
        elif replayed.outcome is not None:
            yield Progress(settled=1, failed=(line_about(replayed),))
        else:
            is_away = is_away or isinstance(replayed.fault, DatabaseUnavailable)
            yield Progress(staying=(line_about(replayed),))
    if is_away and left > 0:
        yield Progress(untried=left)


def _told(settled: int, failed: int, staying: int) -> str:
    told = f"{counted(settled, 'alert')} settled"
    if failed:
        told += f", {failed} of them failed"
    if staying:
        told += f"; {staying} stay{'s' * (staying == 1)} in the log, to be tried again"
    return f"{told}."


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        told = f"{text!r} is no time such as 2026-01-31 or 2026-01-31T14:30Z"
        raise ArgumentTypeError(told) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
