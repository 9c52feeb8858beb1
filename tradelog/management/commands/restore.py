"""`manage.py restore`: both databases from a backup."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from tqdm import tqdm

from tradelog.embedded import ClusterError
from tradelog.management.commands.backup import rows_table
from tradelog.postgres_clients import ClientFailed
from tradelog.restoring import CannotRestore, restore


class Command(BaseCommand):
    help = (
        "Put back what `manage.py backup` has written: both databases, whole, brought up to date. "
        "The server must not run. The file is read and checked before anything is changed. "
        "Exit status: 0 done, 1 refused or failed, 2 usage."
    )
    # On a new machine the .env may come later.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="the backup")
        parser.add_argument("--yes", action="store_true", help="overwrite what there is")
        parser.add_argument(
            "--keep-log",
            action="store_true",
            help="only the main database, where the write-ahead log has survived it: the log "
            "knows the alerts that came after the backup, and they wait in it again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.", returncode=2)
        keep_log = options["keep_log"]
        try:
            with tqdm(unit="B", unit_scale=True, leave=False, disable=None) as progress:
                backup = restore(
                    path,
                    overwrite=options["yes"],
                    keep_log=keep_log,
                    say=partial(self._say, progress),
                    advance=progress.update,
                )
        except CannotRestore as error:
            raise CommandError(str(error)) from error
        except (ClientFailed, ClusterError, DatabaseError, OSError) as error:
            raise CommandError(f"Cannot restore: {str(error).strip()}") from error
        aliases = ("default",) if keep_log else ("default", "wal")
        self.stdout.write(f"{rows_table(backup, aliases)}\n\n")
        self.stdout.write(f"This is what there was on {backup.made_at:%Y-%m-%d at %H:%M:%S} UTC.")
        if settings.SECRET_KEY == settings.INSECURE_SECRET_KEY:
            self.stdout.write(
                "There is no .env. Put the old one back before you serve: a new one has another "
                "token, so that TradingView's alerts are refused, and another key for the trail."
            )
        self.stdout.write(
            "Next: on each host with a log of its own `manage.py replay_wal --restored`, before "
            "any server starts; then `make serve`, which applies by itself what the log knows "
            "and the backup does not."
            if keep_log
            else "Next: `make serve`, which applies by itself what still waits in the log; then "
            "`manage.py reconcile_positions` tells whether everything adds up."
        )

    def _say(self, progress: Any, text: str) -> None:
        progress.clear()
        self.stdout.write(text)
        self.stdout.flush()
