"""`manage.py check_alerts`: is everything as it should be, and if not, who is told?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.utils import timezone
from tabulate import tabulate
from tqdm import tqdm

from audit.shown import counted
from chores import sole
from stopping import told_to_stop
from watch import messages
from watch.firing import Firing, firing_now
from watch.outbox import not_reached
from watch.receivers import receivers, send, unreadable
from watch.watching import CHORE, Watch


class Command(BaseCommand):
    help = (
        "Look once whether alerts are refused, wait or take long, whether positions drift, "
        "trades differ, strategies have gone silent, and whether the databases are in reach; "
        "send what is new, a reminder or over to ALERT_URLS. A running server does the same by "
        "itself (ALERT_EVERY_SECONDS): beside one, this only shows what it finds. "
        "Exit status: 0 all well, 1 something is not as it should be, or with --test a message "
        "was not delivered, 2 usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--follow",
            action="store_true",
            help="go on, every ALERT_EVERY_SECONDS, until SIGTERM or Ctrl-C",
        )
        mode.add_argument(
            "--test", action="store_true", help="send a test message to each of ALERT_URLS"
        )
        parser.add_argument(
            "--reconcile",
            action="store_true",
            help="reconcile as well, though ALERT_RECONCILE_HOURS are not over",
        )
        parser.add_argument("--format", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["test"]:
            return self._test()
        if options["follow"] and options["format"] == "json":
            raise CommandError("--follow and --format json do not go together.", returncode=2)
        with sole(CHORE) as is_ours:
            if options["follow"]:
                return self._follow(is_ours)
            looks_alone = is_ours()
            firing = self._look(looks_alone, reconcile=options["reconcile"])
        if options["format"] == "json":
            self._write_json(firing)
        else:
            self._write_table(firing, _told(looks_alone))
        if firing:
            sys.exit(1)

    def _look(self, is_ours: bool, *, reconcile: bool) -> list[Firing]:
        watch, now = Watch(), timezone.now()
        with tqdm(unit=" looks", leave=False, disable=None) as progress:
            progress.set_description("looking")
            if is_ours:
                return firing_now(watch.look(now, reconcile=reconcile).judged)
            self.stderr.write("A server keeps watch; this only looks.")
            return firing_now(watch.look_beside(now, reconcile=reconcile))

    def _follow(self, is_ours: Callable[[], bool]) -> None:
        every = settings.ALERT_EVERY_SECONDS or 30.0
        watch = Watch()
        with told_to_stop() as stop:
            if not is_ours():
                self.stdout.write("A server keeps watch; this goes on when it has stopped.")
            while not is_ours():
                if stop.wait(every):
                    return
            while not stop.is_set():
                taken = watch.look(stop=stop).taken
                for alarms, word in ((taken.fired, "alarm"), (taken.cleared, "over")):
                    for alarm in alarms:
                        told = f"{timezone.now():%Y-%m-%d %H:%M:%S} UTC: {word}: {alarm.text}"
                        self.stdout.write(told)
                        self.stdout.flush()
                stop.wait(every)

    def _write_json(self, firing: list[Firing]) -> None:
        told = {"firing": [one.as_json() for one in firing], "clean": not firing}
        self.stdout.write(json.dumps(told, indent=2))

    def _write_table(self, firing: list[Firing], told: str) -> None:
        if not firing:
            self.stdout.write("Everything is as it should be.")
            return
        self.stdout.write(
            tabulate(
                [
                    (
                        one.rule.label,
                        one.strategy,
                        f"{one.since:%Y-%m-%d %H:%M} UTC" if one.since else "now",
                        one.text,
                    )
                    for one in firing
                ],
                headers=("alarm", "strategy", "since", "what"),
                maxcolwidths=(None, 20, None, 70),
                disable_numparse=True,
            )
        )
        number = len(firing)
        self.stdout.write(
            f"{counted(number, 'thing')} not as {'they' if number != 1 else 'it'} should "
            f"be; {told}."
        )

    def _test(self) -> None:
        found, wrong = receivers(), unreadable()
        if not found and not wrong:
            raise CommandError("ALERT_URLS is empty: there is nobody to tell.", returncode=2)
        for place in wrong:
            self.stdout.write(f"entry {place} of ALERT_URLS: cannot be read")
        failed = len(wrong)
        for receiver in found:
            trouble = send(receiver, messages.TEST)
            failed += bool(trouble)
            self.stdout.write(
                f"{receiver}: {f'not delivered: {trouble}' if trouble else 'delivered'}"
            )
        if failed:
            sys.exit(1)


def _told(looks_alone: bool) -> str:
    """Who has been told what fires, after a look of ours; who tells it, beside a server."""
    known = receivers()
    if not known:
        return "nobody is told: ALERT_URLS " + ("cannot be read" if unreadable() else "is empty")
    if not looks_alone:
        return "the server tells"
    try:
        late = not_reached(known)
    except Error:
        return "who was told cannot be read from the log's database"
    told = f"{len(known) - len(late)} told"
    return f"{told}, {len(late)} not reached yet ({', '.join(map(str, late))})" if late else told
