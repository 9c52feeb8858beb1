"""The alerts of a run: what each says, and what it means, from a seed alone.

Every alert is an order of its own. Its name (`order_id`) is found in the log again, so
that the checker can tell what came of it without asking the server.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

LONG, SHORT = 1, -1

#: What an order means to do: enter a side; exit (never opening anything); close whatever is
#: open; or a signed quantity against the position.
Intent = Literal["entry", "exit", "flatten", "order"]

_STRATEGIES = 8
_SYMBOLS = ("BINANCE:BTCUSDT", "BINANCE:ETHUSDT", "KRAKEN:SOLUSD")
_BEGIN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Alert:
    """One order of one book, and the message that tells it."""

    name: str
    strategy: str
    symbol: str
    intent: Intent
    #: The side entered (entry, order) or closed (exit); None closes either.
    side: int | None
    #: None: all of the position.
    quantity: Decimal | None
    price: Decimal
    commission: Decimal
    #: The bar's time and the sending time, as the message tells them.
    time: datetime
    sent_at: datetime
    body: bytes

    @property
    def book(self) -> tuple[str, str]:
        return self.strategy, self.symbol


def alerts(seed: int) -> Iterator[Alert]:
    """Alerts without end, in the order in which they are sent.

    One that comes twice is to be sent twice. Where an exit comes before or right after
    its entry, they are meant to race.
    """
    return _Plan(seed).alerts()


class _Plan:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"alerts {seed}")
        self._books = [
            (f"Chaos {number}", symbol)
            for number in range(1, _STRATEGIES + 1)
            for symbol in _SYMBOLS
        ]
        #: What the position would be if nothing were lost: it guides the choice of orders.
        self._positions = dict.fromkeys(self._books, Decimal(0))
        self._count = 0

    def alerts(self) -> Iterator[Alert]:
        to_repeat: list[Alert] = []
        while True:
            for alert in self._some():
                yield alert
                if self._random.random() < 0.04:
                    yield alert  # at the same time as the first
                elif self._random.random() < 0.04:
                    to_repeat.append(alert)
            if to_repeat and self._random.random() < 0.1:
                yield to_repeat.pop(0)

    def _some(self) -> list[Alert]:
        """The next order, or an entry and the exit that races it."""
        book = self._random.choice(self._books)
        position = self._positions[book]
        if position == 0:
            if self._random.random() < 0.03:
                return [self._exit(book)]  # Its entry never comes.
            pair = [self._entry(book, self._random.choice((LONG, SHORT)))]
            if self._random.random() < 0.25:
                pair.append(self._exit(book))
                if self._random.random() < 0.5:
                    pair.reverse()
            return pair
        side = LONG if position > 0 else SHORT
        draw = self._random.random()
        if draw < 0.3:
            return [self._entry(book, side)]
        if draw < 0.5:
            return [self._exit(book, part=True)]
        if draw < 0.65:
            return [self._reversal(book, side)]
        if draw < 0.75:
            return [self._entry(book, -side)]
        return [self._exit(book)]

    def _entry(self, book: tuple[str, str], side: int) -> Alert:
        """Opens, adds, or closes the other side and opens."""
        quantity = self._quantity()
        words: dict[str, str] = self._random.choice(
            [
                {"action": "long" if side == LONG else "short"},
                {"action": "open_long" if side == LONG else "open_short"},
                {"action": "buy" if side == LONG else "sell", "signal_type": "entry"},
            ]
        )
        before = self._positions[book]
        self._positions[book] = side * quantity + (before if before * side > 0 else 0)
        return self._alert(book, "entry", side, quantity, words)

    def _exit(self, book: tuple[str, str], *, part: bool = False) -> Alert:
        position = self._positions[book]
        side = LONG if position >= 0 else SHORT
        quantity = self._part(position) if part else None
        intent, closed = "exit", None
        selling = "sell" if side == LONG else "buy"
        form = self._random.randrange(5)
        if form == 0:
            words = {"action": self._random.choice(("exit", "close", "flat"))}
        elif form == 1:
            words, closed = {"action": "exit_long" if side == LONG else "exit_short"}, side
        elif form == 2:
            words, closed = {"action": selling, "signal_type": "exit"}, side
        elif form == 3 and not part:
            words, intent = {"action": selling, "market_position": "flat"}, "flatten"
        else:
            quantity = quantity or abs(position) or self._quantity()
            words, intent, closed = {"action": selling}, "order", -side
        closes = abs(position) if quantity is None else quantity
        self._positions[book] = position - side * closes
        return self._alert(book, intent, closed, quantity, words)  # type: ignore[arg-type]

    def _reversal(self, book: tuple[str, str], side: int) -> Alert:
        """A plain order of more than is open."""
        quantity = abs(self._positions[book]) + self._quantity()
        self._positions[book] -= side * quantity
        words = {"action": "sell" if side == LONG else "buy"}
        return self._alert(book, "order", -side, quantity, words)

    def _alert(
        self,
        book: tuple[str, str],
        intent: Intent,
        side: int | None,
        quantity: Decimal | None,
        words: dict[str, str],
    ) -> Alert:
        self._count += 1
        name = f"order-{self._count}"
        # Five orders a minute, so that orders share a bar and only their sending times differ.
        sent_at = _BEGIN + timedelta(seconds=12 * self._count)
        time = sent_at.replace(second=0)
        price = Decimal(self._random.randrange(1_000_000, 9_999_999)).scaleb(-3)
        commission = self._random.choice((Decimal(0), Decimal("0.35"), Decimal("1.1")))
        message: dict[str, Any] = {
            "strategy": book[0],
            "symbol": book[1],
            **words,
            "price": str(price),
            "time": time.isoformat(),
            "timenow": sent_at.isoformat(),
            "order_id": name,
        }
        if quantity is not None:
            message["quantity"] = str(quantity)
        if commission:
            message["commission"] = str(commission)
        if self._random.random() < 0.2:
            message["idempotency_key"] = f"key-of-{name}"
        return Alert(
            name, *book, intent, side, quantity, price, commission, time, sent_at,
            json.dumps(message).encode(),
        )  # fmt: skip

    def _quantity(self) -> Decimal:
        return Decimal(self._random.randrange(1, 5_000)).scaleb(-3)

    def _part(self, position: Decimal) -> Decimal | None:
        """Some of a position, where it can be divided."""
        steps = int(abs(position).scaleb(3))
        return Decimal(self._random.randrange(1, steps)).scaleb(-3) if steps > 1 else None
