"""What each field of an alert may be called.

Traders write their messages by hand, after dozens of templates, so one field has
many names, and each name many spellings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from types import MappingProxyType
from typing import Final

#: The Contract's fields in its order, each with what else it may be called. Where
#: a message holds several of these, the field's own name speaks, then its aliases
#: in this order.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "strategy": ("strategy_name", "strategy_id", "name", "bot_id"),
        "symbol": ("ticker", "pair", "instrument", "market"),
        "exchange": (),
        "action": ("data", "side", "order_action", "signal"),
        "signal_type": (),
        "market_position": ("position", "direction"),
        "market_position_size": ("position_size",),
        "prev_market_position": ("prev_position",),
        "prev_market_position_size": (),
        "quantity": ("qty", "contracts", "order_contracts", "size", "amount", "order_size"),
        "price": ("order_price", "close", "last"),
        "time": ("date", "bar_time", "timestamp", "timenow"),
        "order_id": ("id", "strategy_order_id"),
        "pnl": ("profit", "realized_pnl"),
        "commission": ("fee", "fees"),
        "currency": ("quote_currency",),
        "interval": ("timeframe", "tf"),
        "comment": ("order_comment",),
        "stop_loss": ("sl", "stop_loss_price"),
        "take_profit": ("tp", "take_profit_price"),
        "is_test": (),
        "idempotency_key": ("alert_id", "nonce"),
    }
)


def normalise(name: str) -> str:
    """A field's name without case and separators.

    signalType, signal-type, `Signal Type` and SIGNAL_TYPE are one name. Splitting
    camel case into words would make "pn_l" of PnL and "time_now" of timeNow.
    """
    return _normalised(name) if len(name) <= _USUAL_LENGTH else _normalise(name)


def _normalise(name: str) -> str:
    return name.translate(_SIMPLER)


#: Messages have the same names again and again; longer ones are not remembered.
_USUAL_LENGTH: Final = 60
_normalised = lru_cache(maxsize=4096)(_normalise)


# Of ASCII's letters alone: `lower` makes a k of the Kelvin sign too, and a token field must
# have no spelling that is read and not cut.
_SIMPLER: Final = str.maketrans(ascii_uppercase, ascii_lowercase, "_-. ")

#: The objects that may hold fields, as peers send them.
CONTAINERS: Final = frozenset({"data", "strategy", "order"})

#: Where a message may carry its token, as `normalise` gives the names.
TOKEN_FIELDS: Final = frozenset(
    map(normalise, ("token", "key", "secret", "passphrase", "api_token"))
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """Which field a name stands for."""

    field: str
    #: The name as FIELDS spells it.
    alias: str
    #: 0 for the field's own name, then its aliases in order.
    rank: int
    #: Whether a prefix had to be taken off to know it.
    stripped: bool = False


def meaning_of(name: str, inside: str = "") -> Meaning | None:
    """The field that `name` stands for within the container `inside`, if it is one of ours."""
    return (
        _meaning(normalise(name), inside) if len(name) <= _USUAL_LENGTH else _look_up(name, inside)
    )


def _look_up(name: str, inside: str) -> Meaning | None:
    name = normalise(name)
    name = _MEANS_INSIDE.get((inside, name), name)
    if (exact := _MEANINGS.get(name)) is not None:
        return exact
    for prefix, container in _PREFIXES:
        if name.startswith(prefix):
            rest = name.removeprefix(prefix)
            rest = _MEANS_INSIDE.get((container, rest), rest)
            # `data` is an action only by old habit; strategy_data may be anything.
            if (found := _MEANINGS.get(rest)) is not None and found.alias != "data":
                return Meaning(found.field, found.alias, found.rank, stripped=True)
    return None


_meaning = lru_cache(maxsize=4096)(_look_up)

_MEANINGS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        normalise(alias): Meaning(field, alias, rank)
        for field, aliases in FIELDS.items()
        for rank, alias in enumerate((field, *aliases))
    }
)

#: {{strategy.order.price}} and its like, kept as the field's name; longest first.
_PREFIXES: Final = (("strategyorder", "order"), ("strategy", "strategy"), ("order", "order"))

#: What alone would mean something else: a strategy's id is no order's id, and an
#: order's name is no strategy's name.
_MEANS_INSIDE: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {("strategy", "id"): "strategyid", ("strategy", "name"): "strategyname", ("order", "name"): ""}
)
