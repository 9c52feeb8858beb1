"""`manage.py sum_up_trades`: the sums by month that the Overview reads."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tradelog.summing_up import zones_in_use
from trades.monthly.building import forget, sum_up


class Command(BaseCommand):
    help = (
        "Sum trades up by month, so that the Overview of years of them is quick; a running "
        "server does so by itself. Nothing but time is lost without it. Exit status: 0 done, "
        "1 the database is out of reach, 2 usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anew",
            action="store_true",
            help="throw away what there is: needed where trades were changed by hand, or "
            "PostgreSQL has learned other rules of a time zone",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["anew"]:
            forget()
        for zone in zones_in_use():
            self.stdout.write(f"{zone}: {sum_up(zone):,} trades were added")
