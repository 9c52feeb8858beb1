"""Every trade recomputed from its alerts, as they came in, and compared with what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from positions.difference import TRADE_COLUMNS
from trades.direction import Direction
from trades.models import Correction, Strategy, Trade
from trades.numeric import plain
from trades.pnl import realised_pnl
from webhooks.book_mending import Change, change_of
from webhooks.expectation import NotDerivable
from webhooks.models import LogStatus, WebhookLog
from webhooks.snapshot import one_moment

#: A strategy's name, and a symbol.
Book = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Where a trade is not what its alerts make it."""

    #: `trades.id`; None where the trade is missing, or a whole book cannot be recomputed.
    trade: int | None
    strategy: str
    symbol: str
    #: The column; empty where it is about the whole trade.
    field: str
    #: What is kept, and what the alerts come to; as text, empty where there is nothing.
    kept: str
    recomputed: str
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """All of it in JSON's own types."""
        return asdict(self)


def audit(
    strategy: str | None = None, going_through: Callable[[list[Book]], Iterable[Book]] = iter
) -> Iterator[Discrepancy]:
    """Each difference between the trades that are kept and those their alerts come to.

    The alerts' raw bodies are read once more and netted by the code that applies them
    live. Changes nothing. `going_through` is given the books, and gives each in its turn.
    """
    for name, symbol in going_through(_books(strategy)):
        with one_moment():
            found = list(_of_book(name, symbol))
        yield from found
    yield from _of_corrections(strategy)


def _books(strategy: str | None) -> list[Book]:
    """The books that hold trades, or whose alerts may have made some."""
    moved = WebhookLog.objects.filter(status=LogStatus.PROCESSED, is_test=False)
    traded = Trade.objects.filter(lot__isnull=False)
    if strategy is not None:
        moved, traded = moved.filter(strategy=strategy), traded.filter(strategy__name=strategy)
    found = {*moved.order_by().values_list("strategy", "symbol").distinct()}
    found |= {*traded.order_by().values_list("strategy__name", "symbol").distinct()}
    return sorted(found)


def _of_book(name: str, symbol: str) -> Iterator[Discrepancy]:
    try:
        change = change_of(name, symbol)
    except NotDerivable as error:
        sentence = f"The trades of {symbol} cannot be recomputed: {error}"
        yield Discrepancy(None, name, symbol, "", "", "", sentence)
        return
    yield from _of_trades(change)


def _of_trades(change: Change) -> Iterator[Discrepancy]:
    name, symbol, difference = change.strategy.name, change.symbol, change.difference

    def told(trade: int | None, field: str, kept: str, recomputed: str, sentence: str) -> Any:
        return Discrepancy(trade, name, symbol, field, kept, recomputed, sentence)

    guessed = {id(trade) for alert in change.guessed for trade in alert.trades}
    for expected, kept in difference.trades:
        if kept is None:
            valued = " with today's point value; the one of then is not known"
            untold = valued if id(expected) in guessed else ""
            sentence = f"A trade is missing: {_described(expected)}{untold}."
            yield told(None, "", "", _described(expected), sentence)
            continue
        for column in TRADE_COLUMNS:
            was, is_due = getattr(kept, column), getattr(expected, column)
            if was != is_due:
                field = column.removesuffix("_id").replace("_", " ")
                sentence = (
                    f"Trade {kept.pk} has {field} {_shown(was)}; "
                    f"its alerts come to {_shown(is_due)}."
                )
                yield told(kept.pk, column, _shown(was), _shown(is_due), sentence)
    strange = difference.unexplained_trades.union(trade.pk for trade in difference.surplus_trades)
    # No alert led to an imported one, nor does it say so.
    for trade in Trade.objects.filter(pk__in=strange, import_batch__isnull=True).order_by("pk"):
        sentence = f"No alert led to trade {trade.pk}: {_described(trade)}."
        yield told(trade.pk, "", _described(trade), "", sentence)


def _of_corrections(strategy: str | None) -> Iterator[Discrepancy]:
    corrections = Correction.objects.select_related("trade__strategy").order_by("pk")
    if strategy is not None:
        corrections = corrections.filter(trade__strategy__name=strategy)
    # Made by hand, so there are not many.
    for correction in corrections:
        trade = correction.trade
        due = realised_pnl(
            direction=Direction(trade.direction),
            quantity=correction.quantity,
            entry_price=correction.entry_price,
            exit_price=correction.exit_price,
            point_value=correction.point_value,
            commission=correction.commission,
        )
        if correction.pnl != due:
            yield Discrepancy(
                trade.pk,
                trade.strategy.name,
                trade.symbol,
                "pnl",
                _shown(correction.pnl),
                _shown(due),
                f"Correction {correction.pk} of trade {trade.pk} has pnl "
                f"{_shown(correction.pnl)}; its values come to {_shown(due)}.",
            )


def _described(trade: Trade) -> str:
    return (
        f"{trade.direction} {_shown(trade.quantity)} {trade.symbol} from "
        f"{_shown(trade.entry_price)} to {_shown(trade.exit_price)}, P&L {_shown(trade.pnl)}"
    )


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Strategy):
        return value.name
    return f"{plain(value):f}" if hasattr(value, "as_tuple") else str(value)
