from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from arguments import whole_number
from data_folder import InUse
from tradelog.serving import CannotServe, serve


class Command(BaseCommand):
    help = (
        "Serve alerts: starts the embedded database unless DATABASE_URL is set, migrates both "
        "databases, prints the webhook URL and the alert message, and runs the worker processes "
        "until Ctrl-C or SIGTERM. Exit status: 0 stopped, 1 could not serve, 2 wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--host", default=settings.HOST, help="address to listen on (HOST; now %(default)s)"
        )
        parser.add_argument(
            "--port",
            type=whole_number("port", 65_535),
            default=settings.PORT,
            help="port to listen on (PORT; now %(default)s)",
        )
        parser.add_argument(
            "--workers",
            type=whole_number("number of workers"),
            default=settings.WORKERS,
            help="worker processes (WORKERS; now %(default)s)",
        )
        parser.add_argument(
            "--threads",
            type=whole_number("number of threads"),
            default=settings.THREADS,
            help="threads in each of them (THREADS; now %(default)s)",
        )
        parser.add_argument(
            "--quiet",
            action="store_true",
            help="leave out the webhook URL, which holds a token: for a service manager, who "
            "keeps what is printed",
        )

    def handle(
        self,
        *args: Any,
        host: str,
        port: int,
        workers: int,
        threads: int,
        quiet: bool,
        **options: Any,
    ) -> None:
        try:
            serve(
                host=host,
                port=port,
                workers=workers,
                threads=threads,
                say=self._say,
                quiet=quiet,
            )
        except (CannotServe, InUse) as error:
            raise CommandError(str(error)) from error

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
