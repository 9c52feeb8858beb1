"""What one point of price is worth for one contract, in quote currency."""

from __future__ import annotations

import re
from decimal import Decimal

#: The exchanges' contract specifications, by root.
FUTURES: dict[str, Decimal] = {
    "ES": Decimal(50),
    "NQ": Decimal(20),
    "CL": Decimal(1000),
    "GC": Decimal(100),
    "YM": Decimal(5),
    "RTY": Decimal(50),
    "MES": Decimal(5),
    "MNQ": Decimal(2),
    "MCL": Decimal(100),
    "MGC": Decimal(10),
    "M2K": Decimal(5),
    "MYM": Decimal("0.5"),
}

#: A root and a contract month (ESZ2025, ESZ5) or a continuous contract (ES1!). The
#: bare root is no future: ES alone is a share.
_CONTRACT = re.compile(r"([A-Z0-9]+?)(?:[FGHJKMNQUVXZ](?:\d{4}|\d{1,2})|\d!)")


def point_value(symbol: str) -> Decimal:
    """The built-in point value of a symbol (`EXCHANGE:TICKER` or a ticker); 1 if none is known.

    Of a spread or a ratio (`COMEX:SI1!/COMEX:GC1!`) none is.
    """
    exchange, _, rest = symbol.partition(":")
    ticker = (rest or exchange).upper()
    contract = _CONTRACT.fullmatch(ticker)
    return FUTURES.get(contract[1], Decimal(1)) if contract else Decimal(1)
