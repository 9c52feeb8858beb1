"""A list of trades as TradingView exported it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal

from trades.direction import Direction


@dataclass(frozen=True, slots=True)
class ExportedTrade:
    """One trade as TradingView lists it. Times are the chart's, without a zone."""

    number: int
    direction: Direction
    #: Contracts, above 0.
    quantity: Decimal
    entry_time: datetime
    #: In quote currency for one unit, above 0; so is the exit's.
    entry_price: Decimal
    #: None, as is the price, while the trade is open. Up to an hour before the entry's, if
    #: clocks went back between them.
    exit_time: datetime | None
    exit_price: Decimal | None
    #: Net, in quote currency; None where the file tells none in it.
    pnl: Decimal | None = None
    commission: Decimal | None = None
    #: The quote currency as the columns name it; "" where they do not.
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """A file with a list of trades, read."""

    file_name: str
    #: Of the file's bytes, in hexadecimal.
    sha256: str
    #: Oldest entry first; open ones too.
    trades: tuple[ExportedTrade, ...]
    #: The last time that any row tells, so far as the list goes; None without trades.
    last_time: datetime | None
    #: Columns that were not read, since their money is in another currency than the prices.
    left_out: tuple[str, ...] = ()

    @property
    def tells_dates_alone(self) -> bool:
        """Whether no time has a clock, as on a daily chart; midnight may be a spreadsheet's."""
        times = [self.last_time]
        for trade in self.trades:
            times += trade.entry_time, trade.exit_time
        return bool(self.trades) and all(told is None or told.time() == time.min for told in times)
