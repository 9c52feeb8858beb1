"""Brings one book to what its alerts led to, and records every row that it changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.db import transaction

from positions.difference import Difference, columns
from positions.findings import Finding
from positions.held import held_in
from positions.matching import compare
from positions.models import Lot, Reconciliation
from trades.models import Strategy, Trade
from trades.whole_rows import whole_rows
from webhooks.effect_order import moving_alerts
from webhooks.expectation import EFFECT_COLUMNS, ExpectedAlert, NotDerivable, derive
from webhooks.models import WebhookLog
from webhooks.signal import book_name
from webhooks.standing import lock_book
from webhooks.trail import reseal

Rows = dict[str, list[dict[str, object]]]


@dataclass(frozen=True)
class Change:
    """All that a book needs to be what its alerts led to."""

    strategy: Strategy
    symbol: str
    #: Of lots and trades.
    difference: Difference
    alerts: list[ExpectedAlert]
    #: The ids of alerts that moved nothing, and yet point to a trade.
    misled: frozenset[int]
    #: The ids of alerts whose trades' point value is known, however the strategy's is by now.
    valued: frozenset[int]

    def __bool__(self) -> bool:
        return bool(self.difference or self.wrong_alerts or self.misled)

    @cached_property
    def guessed(self) -> list[ExpectedAlert]:
        """Alerts of which a trade is missing, and nobody knows with which point value it was."""
        missing = {id(trade) for trade, row in self.difference.trades if row is None}
        return [
            alert
            for alert in self.alerts
            if alert.standing.pk not in self.valued
            and not missing.isdisjoint(map(id, alert.trades))
        ]

    @cached_property
    def wrong_alerts(self) -> list[ExpectedAlert]:
        """Alerts whose rows tell another effect, or point to no trade they made."""
        standing = {id(trade): row and row.pk for trade, row in self.difference.trades}
        wrong = []
        for alert in self.alerts:
            made = [standing[id(trade)] for trade in alert.trades] or [None]
            row = alert.standing
            is_linked = row.trade_id in made and (row.trade_id is not None or not alert.trades)
            if not is_linked or _effect(row) != _effect(alert.expected):
                wrong.append(alert)
        return wrong


def change_of(strategy_name: str, symbol: str) -> Change:
    """What must change in a book; reads only. Raises NotDerivable."""
    strategy = Strategy.objects.filter(name=strategy_name).first()
    if strategy is None:
        raise NotDerivable(f"There is no strategy {strategy_name}.")
    moving = moving_alerts(strategy_name, symbol)
    alerts = list(moving)
    held = held_in(strategy, symbol, moving)
    point_values = held.point_values()
    book, expected = derive(strategy, alerts, point_values)
    pointing = WebhookLog.objects.filter(
        strategy=strategy_name, symbol=symbol, trade__isnull=False
    ).values_list("pk", flat=True)
    misled = frozenset(pointing) - held.alerts
    return Change(strategy, symbol, compare(book, held), expected, misled, frozenset(point_values))


@transaction.atomic
def mend_book(
    strategy_name: str, symbol: str, findings: Iterable[Finding]
) -> Reconciliation | None:
    """Change what differs in a book, as one; None where nothing did.

    Raises NotDerivable, or ProtectedError where a trade that is too many was corrected just
    now, and then nothing has changed.
    """
    lock_book(book_name(strategy_name, symbol))
    change = change_of(strategy_name, symbol)
    if foreign := change.difference.foreign_books:
        names = Strategy.objects.in_bulk([strategy_id for strategy_id, _ in foreign])
        for strategy_id, its_symbol in sorted(foreign):
            lock_book(book_name(names[strategy_id].name, its_symbol))
        change = change_of(strategy_name, symbol)
    if not change:
        return None
    surplus = [trade.pk for trade in change.difference.surplus_trades]
    # Whoever is correcting one of them comes first, and then it is not deleted.
    list(Trade.objects.filter(pk__in=surplus).order_by("pk").select_for_update().values_list("pk"))
    misled = change.misled.union(
        WebhookLog.objects.filter(trade__in=surplus).values_list("pk", flat=True)
    )
    alert_ids = misled | {alert.standing.pk for alert in change.wrong_alerts}
    before = _rows(change.difference.changed_lots, change.difference.changed_trades, alert_ids)
    lots, trades = change.difference.settle()
    WebhookLog.objects.filter(pk__in=misled).update(trade=None)
    _write(change.wrong_alerts)
    reseal(alert_ids)
    Trade.objects.filter(pk__in=surplus).delete()
    return Reconciliation.objects.create(
        strategy=change.strategy,
        symbol=symbol,
        findings=[finding.as_json() for finding in findings],
        before=before,
        after=_rows(lots, trades, alert_ids),
    )


def _effect(alert: WebhookLog) -> tuple[object, ...]:
    return columns(alert, EFFECT_COLUMNS)


def _write(alerts: list[ExpectedAlert]) -> None:
    for alert in alerts:
        made = [trade.pk for trade in alert.trades]
        if alert.standing.trade_id not in made:
            alert.expected.trade_id = made[0] if made else None
    WebhookLog.objects.bulk_update(
        [alert.expected for alert in alerts], [*EFFECT_COLUMNS, "trade"], batch_size=500
    )


def _rows(lots: Iterable[int], trades: Iterable[int], alerts: Iterable[int]) -> Rows:
    """By table, whole; only tables with rows."""
    tables = ((Lot, lots), (Trade, trades), (WebhookLog, alerts))
    found = {
        model._meta.db_table: whole_rows(model._default_manager.filter(pk__in=ids))
        for model, ids in tables
    }
    return {table: rows for table, rows in found.items() if rows}
