"""What the tables tell of one alert, and of one trade, put together for whoever asks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import Error

import deadline
from positions.models import Lot
from trades.direction import Direction
from trades.models import Correction, ImportBatch, Trade
from trades.numeric import exactly, plain
from wal.models import Entry
from webhooks.models import WebhookLog

#: How long a page waits for the log's database.
_PATIENCE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Message:
    """What an alert said, its token cut out."""

    #: As it was stored.
    raw: str
    #: Indented, every token of it as it was; empty where it is not JSON.
    pretty: str


@dataclass(frozen=True, slots=True)
class AlertStory:
    """An alert, what it said, and what became of it."""

    log: WebhookLog
    message: Message
    #: Its entry in the log; None where it was pruned, or the log is out of reach.
    entry: Entry | None
    log_is_reachable: bool
    lots_entered: tuple[Lot, ...]
    lots_closed: tuple[Lot, ...]

    @property
    def latency(self) -> timedelta:
        """From its receipt to its effect."""
        return self.log.processed_at - self.log.received_at

    @property
    def delay(self) -> timedelta | None:
        """From the order's own time to the receipt; below zero if the clocks differ."""
        ordered = self.log.order_time
        return None if ordered is None else self.log.received_at - ordered

    @property
    def trades(self) -> list[Trade]:
        """The trades it made."""
        return [lot.trade for lot in self.lots_closed if lot.trade is not None]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the arithmetic: what is done with which number, and what it comes to."""

    does: str
    number: Decimal
    unit: str
    result: Decimal


@dataclass(frozen=True, slots=True)
class TradeStory:
    """A trade, from the alert that entered it to what was said of it afterwards."""

    trade: Trade
    #: None for a trade that was imported.
    lot: Lot | None
    imported: ImportBatch | None
    entry: AlertStory | None
    exit: AlertStory | None
    #: Of the same entry alert, and of the same exit alert: the others.
    entered_with_it: tuple[Lot, ...]
    closed_with_it: tuple[Lot, ...]
    corrections: tuple[Correction, ...]

    @property
    def held(self) -> timedelta | None:
        """From the entry order's time to the exit order's; None where the exit's is before."""
        held = self.trade.exit_time - self.trade.entry_time
        return held if held >= timedelta() else None

    @property
    def steps(self) -> list[Step]:
        """How the P&L comes about, exactly."""
        trade = self.trade
        first, last = trade.entry_price, trade.exit_price
        if trade.direction == Direction.SHORT:
            first, last = last, first
        with exactly():
            difference = plain(last - first)
            by_quantity = plain(difference * trade.quantity)
            by_point = plain(by_quantity * trade.point_value)
            pnl = plain(by_point - trade.commission)
        return [
            Step("", last, "exit price" if last == trade.exit_price else "entry price", last),
            Step(
                "−", first, "entry price" if last == trade.exit_price else "exit price", difference
            ),
            Step("×", trade.quantity, "contracts", by_quantity),
            Step("×", trade.point_value, "a point", by_point),
            Step("−", trade.commission, "commission", pnl),
        ]

    @property
    def adds_up(self) -> bool:
        """Whether the arithmetic comes to the P&L that was booked."""
        return bool(self.steps[-1].result == self.trade.pnl)

    @property
    def difference(self) -> Decimal | None:
        """Reported minus calculated P&L; None where none was reported."""
        if self.trade.pnl_reported is None:
            return None
        with exactly():
            return plain(self.trade.pnl_reported - self.trade.pnl)

    @property
    def tolerance(self) -> Decimal:
        """How far they may differ."""
        return Decimal(settings.PNL_TOLERANCE)

    @property
    def standing(self) -> Correction | None:
        """The correction that counts."""
        return next((each for each in self.corrections if each.stands), None)

    @property
    def drifted(self) -> list[AlertStory]:
        """Its alerts that told another position than the lots'."""
        return [told for told in (self.entry, self.exit) if told and told.log.drift]


def story_of_alert(log: WebhookLog) -> AlertStory:
    """Everything about this alert."""
    return _stories([log])[log.pk]


def story_of_trade(trade: Trade) -> TradeStory:
    """Everything about this trade."""
    lots = Lot.objects.select_related("entry_webhook_log", "exit_webhook_log")
    lot = lots.filter(trade=trade).first()
    alerts = [lot.entry_webhook_log, lot.exit_webhook_log] if lot else []
    told = _stories([alert for alert in alerts if alert is not None])
    entry = told.get(lot.entry_webhook_log_id) if lot else None
    left = told.get(lot.exit_webhook_log_id) if lot and lot.exit_webhook_log_id else None
    return TradeStory(
        trade=trade,
        lot=lot,
        imported=trade.import_batch,
        entry=entry,
        exit=left,
        entered_with_it=_but(entry.lots_entered if entry else (), lot),
        closed_with_it=_but(left.lots_closed if left else (), lot),
        corrections=tuple(trade.corrections.select_related("made_by").order_by("id")),
    )


def read_message(text: str) -> Message:
    """The message as it is stored, and indented if it is JSON."""
    return Message(text, _indented(text))


def _stories(logs: list[WebhookLog]) -> dict[int, AlertStory]:
    entries, is_reachable = _entries({log.correlation_id for log in logs})
    lots = Lot.objects.select_related("trade", "strategy").order_by("id")
    entered = list(lots.filter(entry_webhook_log__in=logs))
    closed = list(lots.filter(exit_webhook_log__in=logs))
    return {
        log.pk: AlertStory(
            log=log,
            message=read_message(log.payload),
            entry=entries.get(log.correlation_id),
            log_is_reachable=is_reachable,
            lots_entered=tuple(lot for lot in entered if lot.entry_webhook_log_id == log.pk),
            lots_closed=tuple(lot for lot in closed if lot.exit_webhook_log_id == log.pk),
        )
        for log in logs
    }


def _entries(correlation_ids: Iterable[UUID]) -> tuple[dict[UUID, Entry], bool]:
    try:
        with deadline.within(_PATIENCE_SECONDS):
            found = Entry.objects.filter(correlation_id__in=list(correlation_ids)).defer("body")
            return {entry.correlation_id: entry for entry in found}, True
    except Error:
        # The page is about the main database's rows, which are here.
        return {}, False


def _but(lots: Iterable[Lot], this: Lot | None) -> tuple[Lot, ...]:
    return tuple(lot for lot in lots if this is None or lot.pk != this.pk)


class _Repeated(ValueError):
    """A name stands twice in one object, and reading it would drop the first."""


def _indented(text: str) -> str:
    # Numbers go through as they are written: 1.50 must not become 1.5.
    mark = f"number {uuid4().hex} "
    try:
        read = json.loads(
            text,
            parse_float=mark.__add__,
            parse_int=mark.__add__,
            object_pairs_hook=_without_repetition,
        )
        indented = json.dumps(read, indent=2, ensure_ascii=False)
        # Half of a surrogate pair, "\ud800", can be read and cannot be shown.
        indented.encode()
    except (ValueError, RecursionError):
        return ""
    start = f'"{mark}'
    parts = indented.split(start)
    return parts[0] + "".join(part.replace('"', "", 1) for part in parts[1:])


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise _Repeated
    return read
