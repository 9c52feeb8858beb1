"""What became of an entry, told from the tables alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import UUID

from django.db.models import Q

from audit.shown import digits
from faults import (
    Fault,
    InvalidJSON,
    InvalidPayload,
    NoOpenPosition,
    Status,
    StrategyDisabled,
    StrategyNotAllowed,
)
from positions.models import Lot
from wal.models import EntryStatus
from webhooks.models import LogStatus, WebhookLog


class Duplicate(Fault):
    """The same alert came before; these are the first one's ids."""

    code, http_status, status = "DUPLICATE", 200, Status.DUPLICATE


class KeyReused(Duplicate):
    """Its key is an earlier alert's that ordered something else; this order has no effect."""


class DuplicateOfParked(Duplicate):
    """The same alert came before and waits for its entry; these are its ids."""


class DuplicateOfFailed(Duplicate):
    """The same alert came before and failed; these are its ids. `replay_wal --failed` tries it."""


class Parked(NoOpenPosition):
    """Nothing is open that this exit could close; it waits for its entry."""

    http_status, status = 202, Status.PARKED


#: The faults an alert's own row can tell.
RECORDED: dict[str, type[Fault]] = {
    fault.code: fault
    for fault in (InvalidJSON, InvalidPayload, StrategyNotAllowed, StrategyDisabled, NoOpenPosition)
}

_SETTLED_AS = {
    LogStatus.PROCESSED: EntryStatus.COMPLETED,
    LogStatus.PARKED: EntryStatus.PARKED,
    LogStatus.REJECTED: EntryStatus.FAILED,
    LogStatus.FAILED: EntryStatus.FAILED,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an entry's way: its row in webhook_logs, or the first one's."""

    log: WebhookLog
    #: The lot it opened, else the first it closed.
    position_id: int | None = None
    #: In the order of their lots.
    trade_ids: tuple[int, ...] = ()
    is_duplicate: bool = False
    #: A duplicate by the sender's key alone: it ordered something else.
    key_reused: bool = False
    #: Told from rows that were there: nothing has happened now.
    is_recorded: bool = False
    #: Its row was made now. An exit that waited, or what failed and is tried again, had one.
    is_new: bool = False
    #: Alerts that are marked as drift now, and were not before.
    drifted: int = 0
    #: Trades made now whose reported P&L is not the calculated one.
    discrepancies: int = 0
    #: Parked alerts of the same book that this one let through.
    released: tuple[WebhookLog, ...] = ()

    @property
    def fault(self) -> Fault | None:
        """What keeps the answer from being a plain `processed`."""
        if self.is_duplicate:
            return KeyReused() if self.key_reused else _duplicate_of(self.log)
        if self.log.status == LogStatus.PROCESSED:
            return None
        if self.log.status == LogStatus.PARKED:
            return Parked()
        return RECORDED[self.log.error_code](self.log.error_message, fields=self.log.error_fields)

    @property
    def entry_status(self) -> EntryStatus:
        """How the log entry is settled."""
        return EntryStatus.DUPLICATE if self.is_duplicate else settled_as(self.log)

    @property
    def noted(self) -> str:
        """What the log entry keeps of a fault; a duplicate's only if it ordered something else."""
        if self.is_duplicate:
            return KeyReused().message if self.key_reused else ""
        return noted_of(self.log)

    def told(self, correlation_id: UUID) -> dict[str, Any]:
        """The body of the answer. Raises the fault, with the ids, where there is one."""
        if (fault := self.fault) is not None:
            fault.ids = self.ids()
            raise fault
        told = {"correlation_id": str(correlation_id), "status": Status.PROCESSED}
        return told | self.ids()

    def ids(self) -> dict[str, Any]:
        """The part of an answer that says where to find what happened."""
        told: dict[str, Any] = {"webhook_log_id": self.log.pk, "wal_id": self.log.wal_id}
        if self.position_id is not None:
            told["position_id"] = self.position_id
        if self.trade_ids:
            told["trade_id"] = self.trade_ids[0]
            told["trade_ids"] = list(self.trade_ids)
        if self.log.action:
            told["action"] = self.log.action
        if self.log.is_test:
            told["is_test"] = True
        if self.log.drift:
            told["drift"] = {
                "before": {
                    "position": _number(self.log.position_before),
                    "tradingview": self.log.tradingview_before,
                },
                "after": {
                    "position": _number(self.log.position_after),
                    "tradingview": self.log.tradingview_after,
                },
            }
        return told


def _duplicate_of(first: WebhookLog) -> Duplicate:
    # It must not read as if the order stood.
    match first.status:
        case LogStatus.PARKED:
            return DuplicateOfParked()
        case LogStatus.FAILED:
            return DuplicateOfFailed()
        case _:
            return Duplicate()


def settled_as(log: WebhookLog) -> EntryStatus:
    """The status of the log entry whose alert this is."""
    return _SETTLED_AS[LogStatus(log.status)]


def noted_of(log: WebhookLog) -> str:
    """What the log entry keeps of its alert's fault; "" if it has none."""
    return f"{log.error_code}: {log.error_message}" if log.error_code else ""


def lots_moved(logs: Collection[WebhookLog]) -> dict[int, list[Lot]]:
    """The lots that each of these alerts entered or closed, by the alert's id, in their order."""
    moved: dict[int, list[Lot]] = {log.pk: [] for log in logs}
    if not moved:
        return moved  # As for nearly every alert.
    entered, closed = Q(entry_webhook_log__in=logs), Q(exit_webhook_log__in=logs)
    for lot in Lot.objects.filter(entered | closed).order_by("id"):
        for key in moved.keys() & {lot.entry_webhook_log_id, lot.exit_webhook_log_id}:
            moved[key].append(lot)
    return moved


def recorded_outcome(
    log: WebhookLog, lots: Sequence[Lot], *, is_duplicate: bool = False, key_reused: bool = False
) -> Outcome:
    """The outcome of an alert that was applied before, read back from the `lots_moved`."""
    closed = [lot for lot in lots if lot.exit_webhook_log_id == log.pk]
    exits = sorted(closed, key=lambda lot: lot.trade_id or 0)
    # A lot keeps its row while parts are split off, so the first one is the entry's.
    entered = [lot for lot in lots if lot.entry_webhook_log_id == log.pk]
    position = next(chain(entered, exits), None)
    return Outcome(
        log,
        position.pk if position else None,
        tuple(lot.trade_id for lot in exits if lot.trade_id is not None),
        is_duplicate,
        key_reused,
        is_recorded=True,
    )


def _number(value: Decimal | None) -> str | None:
    return None if value is None else digits(value)
