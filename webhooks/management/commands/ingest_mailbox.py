"""`manage.py ingest_mailbox`: alerts whose webhook never came, from TradingView's mails."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from arguments import whole_number
from audit.shown import counted
from faults import LogUnavailable
from stopping import told_to_stop
from webhooks.mail.account import Account, Misconfigured, configured_account
from webhooks.mail.following import follow
from webhooks.mail.ingest import Became, Ingested, ingest
from webhooks.mail.mailbox import Mailbox, MailboxUnavailable


class Command(BaseCommand):
    help = (
        "Read TradingView's alert mails from the mailbox of MAILBOX_URL, and apply the orders "
        "whose webhook never came. Safe at any time: an order that came by webhook is only "
        "ticked off. The server does this by itself. "
        "Exit status: 0 all well, 1 something was refused or failed, 2 usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done; change nothing"
        )
        parser.add_argument(
            "--limit", type=whole_number("number of mails"), metavar="N", help="at most N mails"
        )
        parser.add_argument(
            "--follow",
            action="store_true",
            help="go on, every MAILBOX_INTERVAL_SECONDS, until SIGTERM or Ctrl-C",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["follow"] and (options["dry_run"] or options["limit"]):
            raise CommandError("--follow goes with neither --dry-run nor --limit.", returncode=2)
        try:
            account = configured_account()
        except Misconfigured as fault:
            raise CommandError(f"{fault} See docs/mailbox.md.", returncode=2) from fault
        try:
            if options["follow"]:
                with told_to_stop() as stop:
                    return follow(stop, self._tell)
            trouble = self._ingest(account, limit=options["limit"], dry_run=options["dry_run"])
        except MailboxUnavailable as error:
            raise CommandError(str(error)) from error
        except LogUnavailable as error:
            raise CommandError("The log cannot be written; the mails stay unread.") from error
        except KeyboardInterrupt:
            return
        if trouble:
            sys.exit(1)

    def _ingest(self, account: Account, *, limit: int | None, dry_run: bool) -> bool:
        """Read the mails once; tell whether any of them wants attention."""
        numbers: Counter[Became] = Counter()
        trouble = False
        with Mailbox(account) as mailbox:
            progress = tqdm(
                ingest(mailbox, account, limit=limit, dry_run=dry_run),
                unit=" mails",
                # Plain lines in a pipe, a bar on a terminal.
                disable=None,
            )
            for ingested in progress:
                numbers[ingested.became] += 1
                trouble = trouble or ingested.needs_attention
                progress.write(_told(ingested), file=self.stdout, end="")
        self.stdout.write(
            f"{counted(numbers.total(), 'mail')}: "
            + ", ".join(
                f"{numbers[became]} {words}"
                for became, words in _SUMMED_UP.items()
                # Seldom, and not looked for.
                if became is not Became.WITHHELD or numbers[became]
            )
            + ("; nothing was changed." if dry_run else ".")
        )
        return trouble

    def _tell(self, ingested: Ingested) -> None:
        if ingested.became is not Became.WAITS:
            self.stdout.write(_told(ingested))
            self.stdout.flush()


_SUMMED_UP = {
    Became.TAKEN: "taken whose webhook was missed",
    Became.KNOWN: "known",
    Became.REFUSED: "refused",
    Became.WAITS: "waiting",
    Became.WITHHELD: "withheld by the mail server",
}


def _told(ingested: Ingested) -> str:
    mail = ingested.mail
    arrived = f"{mail.arrived_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"mail {mail.uid} of {arrived}: {ingested.became}: {ingested.told}"
