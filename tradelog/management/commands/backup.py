"""`manage.py backup`: both databases in one file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from tabulate import tabulate
from tqdm import tqdm

from tradelog import command_trouble
from tradelog.backup import CannotBackUp, back_up
from tradelog.backup_file import Backup
from tradelog.database_copies import BOOKKEEPING
from tradelog.databases import NAMES
from tradelog.postgres_clients import ClientFailed


class Command(BaseCommand):
    help = (
        "Write the main database and the write-ahead log into one file, readable by its owner "
        "alone; while the server runs, or without it. The secrets in .env are not in it: keep "
        "them apart. Exit status: 0 done, 1 failed, and then no file was written, 2 usage."
    )
    # A backup must be possible whatever is wrong with the settings.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to",
            type=Path,
            metavar="FILE",
            help="the file (….zip), replaced if it is there, or a folder for it "
            f"(BACKUP_DIR; now {settings.BACKUP_DIR})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with tqdm(unit="B", unit_scale=True, leave=False, disable=None) as progress:
                target, backup = back_up(
                    options["to"], say=partial(self._say, progress), advance=progress.update
                )
        except CannotBackUp as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"No backup was made: {command_trouble.why(error)}") from error
        except (ClientFailed, OSError) as error:
            raise CommandError(f"No backup was made: {str(error).strip()}") from error
        self.stdout.write(f"{rows_table(backup, ('default', 'wal'))}\n\n")
        self.stdout.write(f"{target} ({target.stat().st_size / 1_000_000:,.1f} MB)")

    def _say(self, progress: Any, text: str) -> None:
        progress.clear()
        self.stdout.write(text)
        self.stdout.flush()


def rows_table(backup: Backup, aliases: tuple[str, ...]) -> str:
    """The rows of a backup by table, as text; without those that migrating makes."""
    rows = [
        (NAMES[alias], name, f"{number:,}")
        for alias in aliases
        for name, number in backup.copies[alias].rows.items()
        if number and name not in BOOKKEEPING
    ]
    headers = ("database", "table", "rows")
    return tabulate(rows, headers, disable_numparse=True, colalign=("left", "left", "right"))
