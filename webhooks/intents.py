"""What the words of an alert ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from positions.netting import Intent
from trades.direction import Direction
from webhooks.values import Unreadable

_LONG, _SHORT = Direction.LONG, Direction.SHORT

#: The words of `action`: what each means where nothing else decides, and the side
#: that is entered, or for an exit closed; None where the word names none.
ACTIONS: Final[Mapping[str, tuple[Intent, Direction | None]]] = MappingProxyType(
    {
        "buy": (Intent.ORDER, _LONG),
        "long": (Intent.ENTRY, _LONG),
        "entry": (Intent.ENTRY, None),
        "enter": (Intent.ENTRY, None),
        "open": (Intent.ENTRY, None),
        "open_long": (Intent.ENTRY, _LONG),
        "entry_long": (Intent.ENTRY, _LONG),
        "sell": (Intent.ORDER, _SHORT),
        "short": (Intent.ENTRY, _SHORT),
        "open_short": (Intent.ENTRY, _SHORT),
        "entry_short": (Intent.ENTRY, _SHORT),
        "exit": (Intent.EXIT, None),
        "close": (Intent.EXIT, None),
        "flat": (Intent.EXIT, None),
        "cover": (Intent.EXIT, _SHORT),
        "exit_long": (Intent.EXIT, _LONG),
        "exit_short": (Intent.EXIT, _SHORT),
        "close_long": (Intent.EXIT, _LONG),
        "close_short": (Intent.EXIT, _SHORT),
    }
)

#: The words that may tell the side of an exit as well.
_PLAIN: Final = frozenset({"buy", "sell", "long", "short"})

#: The words of `signal_type`.
SIGNAL_TYPES: Final[Mapping[str, Intent]] = MappingProxyType(
    {
        "entry": Intent.ENTRY,
        "exit": Intent.EXIT,
        "scale_in": Intent.ENTRY,
        "scale_out": Intent.EXIT,
    }
)

#: The words of `market_position`.
SIDES: Final = (_LONG.value, _SHORT.value, "flat")


def in_one_word(spoken: str, others: Iterable[str]) -> str:
    """The word of ACTIONS for what an alert tells by several names of `action`.

    `spoken` counts most. The others count for what it leaves open: the side of an entry or an
    exit, and whether a plain buy, sell, long or short leaves a position.
    """
    meant, named = ACTIONS[spoken]
    for other in others:
        means, side = ACTIONS[other]
        if named is None:
            if side and meant is Intent.ENTRY and means is not Intent.EXIT:
                return f"open_{side}"
            # To close by buying may be meant of either side.
            if side and meant is Intent.EXIT and means is not Intent.ORDER:
                return f"close_{side}"
        elif spoken in _PLAIN and means is Intent.EXIT:
            return f"close_{side or (named.opposite if meant is Intent.ORDER else named)}"
    return spoken


def what_it_does(
    signal_type: str | None, action: str | None, side: str | None
) -> tuple[Intent, Direction | None]:
    """The intent, and the side that is entered, or that is closed where the words tell it.

    Words of SIGNAL_TYPES, ACTIONS and SIDES; the Contract's order decides between
    them. Raises Unreadable where `action` leaves open what to do.
    """
    typed = SIGNAL_TYPES[signal_type] if signal_type else None
    meant, named = ACTIONS[action] if action else (None, None)
    if typed is Intent.ENTRY:
        return Intent.ENTRY, _side_entered(meant, named, side)
    if side == "flat":
        return Intent.FLATTEN, _side_closed(meant, named)
    if typed is Intent.EXIT:
        return Intent.EXIT, _side_closed(meant, named)
    if meant is None:
        raise Unreadable(f"required; send one of {', '.join(ACTIONS)}")
    if meant is Intent.ENTRY:
        return Intent.ENTRY, _side_entered(meant, named, side)
    return meant, named


def _side_entered(meant: Intent | None, named: Direction | None, side: str | None) -> Direction:
    if named and meant is not Intent.EXIT:
        return named
    if side in (_LONG, _SHORT):
        return Direction(side)
    if meant is Intent.ENTRY:
        # "entry", "enter" and "open" stand with buy in the Contract.
        return _LONG
    raise Unreadable("required for an entry; send buy or sell, or market_position long or short")


def _side_closed(meant: Intent | None, named: Direction | None) -> Direction | None:
    if meant is Intent.ORDER and named:
        # The order's side: selling closes a long position.
        return named.opposite
    # "long" with an exit may mean the side that is left or the order that leaves
    # it. Only one side is open at a time, so leaving it open closes the right one.
    return named if meant is Intent.EXIT else None
