"""`manage.py demo`: a recorded session of alerts, and the trades that come of it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tabulate import tabulate
from tqdm import tqdm

from tradelog import instructions, session
from trades.models import Trade
from trades.numeric import exactly, plain
from webhooks.credentials import configured_tokens, may_speak_for


class Command(BaseCommand):
    help = (
        "Post a recorded session of TradingView alerts to the running server, and show the "
        "trades that came of it. May be run again: the alerts are then duplicates. "
        "Exit status: 0 the trades are TradingView's, 1 they are not, or nothing answers."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url", help="the webhook's URL with its token; default: this server's"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        server = instructions.url(settings.HOST, settings.PORT)
        url = options["url"] or f"{server}{_webhook_path()}"
        messages = session.ALERTS.read_text().splitlines()
        progress = tqdm(messages, unit=" alerts", disable=None)
        try:
            became = Counter(str(answer["status"]) for answer in session.send(url, progress))
        except OSError as error:
            where = "" if options["url"] else f" at {server}"
            raise CommandError(
                f"Nothing answers{where} ({error}). Start the server with `make serve` first; what "
                "follows that (PORT=…) is to follow `make demo` as well."
            ) from error
        except session.AnotherAnswers as error:
            raise CommandError(f"What answers there is no tradelog: {error}.") from error
        told = ", ".join(f"{number} {status}" for status, number in became.items())
        self.stdout.write(f"{len(messages)} alerts sent: {told}.\n\n")
        self._show_trades()
        if session.logged_trades() != session.expected_trades():
            raise CommandError("These are not the trades that TradingView lists.")
        self.stdout.write("The same trades as TradingView lists for this session.")

    def _show_trades(self) -> None:
        trades = Trade.objects.filter(strategy__name=session.STRATEGY).order_by("id")
        rows = [
            (
                trade.pk,
                trade.direction,
                f"{plain(trade.quantity):f}",
                f"{trade.entry_time:%Y-%m-%d}",
                f"{plain(trade.entry_price):f}",
                f"{trade.exit_time:%Y-%m-%d}",
                f"{plain(trade.exit_price):f}",
                f"{plain(trade.pnl):,f}",
            )
            for trade in trades
        ]
        headers = ("trade", "side", "quantity", "entry", "price", "exit", "price", "P&L")
        self.stdout.write(
            tabulate(
                rows, headers, disable_numparse=True, colalign=("right", "left", *["right"] * 6)
            )
        )
        with exactly():
            total = sum((trade.pnl for trade in trades), Decimal(0))
        self.stdout.write(f"\n{len(rows)} trades, P&L {plain(total):,f}.\n")


def _webhook_path() -> str:
    """Of the webhook, with a token that may speak for the session's strategy."""
    for token in configured_tokens():
        if may_speak_for(token.strategies, session.STRATEGY):
            return f"/webhook/{quote(token.value, safe='')}/"
    raise CommandError("WEBHOOK_TOKENS has no token that may send alerts for any strategy.")
