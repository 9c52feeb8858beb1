"""Damage to lots, trades and alerts, as no code of ours does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import F

from positions.models import Lot
from trades.models import Trade
from webhooks.models import WebhookLog

Row = TypeVar("Row")
#: Picks one of several rows; None where there are none.
Pick = Callable[[Sequence[Any]], Any]


def tables() -> dict[str, list[tuple[Any, ...]]]:
    """Lots with their trades, trades without a lot, and what alerts say they did; without ids."""
    trade = (
        "symbol", "direction", "quantity", "entry_price", "exit_price", "entry_time", "exit_time",
        "point_value", "commission", "pnl", "pnl_reported", "pnl_discrepancy", "currency",
    )  # fmt: skip
    lots = Lot.objects.values_list(
        "strategy__name", "symbol", "direction", "quantity", "entry_price", "entry_time",
        "entry_commission", "currency", "status", "entry_webhook_log_id", "exit_webhook_log_id",
        *(f"trade__{column}" for column in trade),
    )  # fmt: skip
    alerts = WebhookLog.objects.values_list(
        "id", "status", "action", "quantity", "price", "position_before", "position_after",
        *(f"trade__{column}" for column in trade),
    )  # fmt: skip
    return {
        "lots": sorted(lots, key=str),
        "trades": sorted(Trade.objects.values_list(*trade), key=str),
        "alerts": sorted(alerts, key=str),
        # First in, first out: the queue is in the order of the lots' ids.
        "queue": list(
            Lot.objects.filter(status="open")
            .order_by("strategy__name", "symbol", "id")
            .values_list("symbol", "entry_webhook_log_id")
        ),
    }


def _update(row: Any, **values: Any) -> None:
    type(row).objects.filter(pk=row.pk).update(**values)


def forget_trade(trade: Trade) -> None:
    """Delete a trade; nothing points to it any more."""
    Lot.objects.filter(trade=trade).update(trade=None)
    WebhookLog.objects.filter(trade=trade).update(trade=None)
    Trade.objects.filter(pk=trade.pk).delete()


def copy_of(row: Any) -> Any:
    """Save the row once more, under an id of its own."""
    copy = type(row).objects.get(pk=row.pk)
    copy.pk = None
    if isinstance(copy, Lot):
        copy.trade = None
    copy.save(force_insert=True)
    return copy


def _swap_trades(lot: Lot, other: Lot) -> None:
    if None in (lot.trade_id, other.trade_id):
        return
    Lot.objects.filter(pk__in=[lot.pk, other.pk]).update(trade=None)
    _update(lot, trade=other.trade_id)
    _update(other, trade=lot.trade_id)


def _on(rows: Any, change: Callable[[Any], object], **having: Any) -> Callable[[Pick], None]:
    def damage(pick: Pick) -> None:
        chosen = getattr(rows, "objects", rows).filter(**having)
        row = pick(list(chosen.order_by("id")))
        if row is not None:
            change(row)

    return damage


def _opposite(row: Any) -> str:
    return "short" if row.direction == "long" else "long"


def _with_other(model: Any, change: Callable[[Any, Any], object], **having: Any) -> Any:
    def damage(pick: Pick) -> None:
        rows = list(model.objects.filter(**having).order_by("id"))
        row, other = pick(rows), pick(rows)
        if row is not None and row.pk != other.pk:
            change(row, other)

    return damage


def _closed_by_another(lot: Lot, other: Lot) -> None:
    _update(lot, exit_webhook_log=other.exit_webhook_log_id)


def _opened_by_another(lot: Lot, other: Lot) -> None:
    _update(lot, entry_webhook_log=other.entry_webhook_log_id)


def _point_to(alert: WebhookLog, trade: WebhookLog) -> None:
    _update(alert, trade=trade.trade_id)


#: One damage each, to any row it can be done to.
DAMAGES: dict[str, Callable[[Pick], None]] = {
    "trade deleted": _on(Trade, forget_trade),
    "trade doubled": _on(Trade, copy_of),
    "trade unlinked": _on(Lot, lambda lot: _update(lot, trade=None), trade__isnull=False),
    "trades swapped": _with_other(Lot, _swap_trades, trade__isnull=False),
    "trade's pnl": _on(Trade, lambda trade: _update(trade, pnl=F("pnl") + Decimal("0.000001"))),
    "trade's quantity": _on(Trade, lambda trade: _update(trade, quantity=F("quantity") * 2)),
    "trade's exit price": _on(Trade, lambda trade: _update(trade, exit_price=F("exit_price") * 2)),
    "trade's exit time": _on(
        Trade, lambda trade: _update(trade, exit_time=F("exit_time") + timedelta(seconds=1))
    ),
    "trade's commission": _on(Trade, lambda trade: _update(trade, commission=F("commission") + 1)),
    "trade's point value": _on(
        # Where the price did not move, nothing tells.
        Trade.objects.exclude(exit_price=F("entry_price")),
        lambda trade: _update(trade, point_value=F("point_value") * 3),
    ),
    "trade's direction": _on(Trade, lambda trade: _update(trade, direction=_opposite(trade))),
    "trade's symbol": _on(Trade, lambda trade: _update(trade, symbol="ELSEWHERE")),
    "lot deleted": _on(Lot, lambda lot: lot.delete()),
    "lot doubled": _on(Lot, copy_of),
    "lot's direction": _on(Lot, lambda lot: _update(lot, direction=_opposite(lot))),
    "lot's quantity": _on(Lot, lambda lot: _update(lot, quantity=F("quantity") + 1)),
    "lot's price": _on(Lot, lambda lot: _update(lot, entry_price=F("entry_price") + 1)),
    "lot's time": _on(
        Lot, lambda lot: _update(lot, entry_time=F("entry_time") - timedelta(seconds=1))
    ),
    "lot's symbol": _on(Lot, lambda lot: _update(lot, symbol="ELSEWHERE")),
    "lot opened again": _on(
        Lot,
        lambda lot: _update(lot, status="open", exit_webhook_log=None, trade=None),
        status="closed",
    ),
    "lot closed by another alert": _with_other(Lot, _closed_by_another, status="closed"),
    "lot opened by another alert": _with_other(Lot, _opened_by_another),
    # A test's moves nothing, so that the trail alone tells of it.
    "alert's quantity": _on(
        WebhookLog,
        lambda alert: _update(alert, quantity=F("quantity") + 1),
        status="processed",
        is_test=False,
    ),
    "alert's position": _on(
        WebhookLog,
        lambda alert: _update(alert, position_before=F("position_before") + 1),
        status="processed",
    ),
    "alert points to no trade": _on(
        WebhookLog, lambda alert: _update(alert, trade=None), trade__isnull=False
    ),
    "alert points to another trade": _with_other(WebhookLog, _point_to, status="processed"),
}
