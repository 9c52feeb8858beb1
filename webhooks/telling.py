"""What a message tells about each field, before any of it is believed."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from webhooks.fields import CONTAINERS, FIELDS, Meaning, meaning_of, normalise
from webhooks.values import NoNumber, Unreadable, is_blank, is_unfilled, shown, storable

Value = TypeVar("Value")

#: How many containers deep a field may lie: data, strategy, order, and one to spare.
_DEEPEST_CONTAINER: Final = 4


def unfilled(value: object) -> str:
    return f"{shown(value)} came unfilled; TradingView has no value for this placeholder here"


@dataclass(frozen=True, slots=True)
class _Telling:
    """One value a message tells for a field."""

    meaning: Meaning
    #: As the message spells it.
    name: str
    value: object
    #: Containers around it.
    depth: int

    @property
    def precedence(self) -> tuple[int, bool, int, bool]:
        """The least one speaks for the field."""
        # The name goes before the depth: an order's price in its container says
        # more of the order than the bar's close at the top.
        meaning = self.meaning
        return meaning.rank, meaning.stripped, self.depth, self.name != meaning.alias


class Told:
    """What a message tells about each field, under whichever names."""

    def __init__(self, document: dict[str, Any]) -> None:
        #: What is wrong, by field; the first fault of each.
        self.faults: dict[str, str] = {}
        #: What no field is told by.
        self.unknown: dict[str, Any] = {}
        self._tellings: dict[str, list[_Telling]] = {field: [] for field in FIELDS}
        for telling in sorted(self._walk(document), key=lambda each: each.precedence):
            self._tellings[telling.meaning.field].append(telling)

    def prefer(self, field: str, value: object) -> None:
        """Let this value speak for the field before all others, unless it is blank."""
        if not is_blank(value):
            telling = _Telling(Meaning(field, field, rank=0), field, value, depth=0)
            self._look_for_faults(telling)
            self._tellings[field].insert(0, telling)

    def _walk(self, document: dict[str, Any]) -> Iterator[_Telling]:
        containers = [(document, "", "", 0)]
        # Grows while it is walked through: the top first, then what lies deeper.
        for members, inside, path, depth in containers:
            repeated = getattr(members, "repeated", frozenset[str]())
            for name, value in members.items():
                plain = normalise(name)
                meaning = meaning_of(name, inside)
                if name in repeated and (meaning or plain in CONTAINERS):
                    field = meaning.field if meaning else "action"
                    self.fault(field, "came twice with different values; send it once", name)
                if plain in CONTAINERS and isinstance(value, dict):
                    if depth < _DEEPEST_CONTAINER:
                        within = inside if plain == "data" else plain
                        containers.append((value, within, f"{path}{name}.", depth + 1))
                        continue
                    meaning = None
                if meaning is None:
                    self._keep(path, name, value)
                elif not is_blank(value):
                    telling = _Telling(meaning, name, value, depth)
                    self._look_for_faults(telling)
                    yield telling

    def _keep(self, path: str, name: str, value: object) -> None:
        # A token field is gone after this.
        for key, held in storable({name: value}).items():
            self.unknown[f"{storable(path)}{key}" if key in self.unknown else key] = held

    def _look_for_faults(self, telling: _Telling) -> None:
        # In every spelling, also one that another goes before: a message with
        # these is not what its author meant.
        field, value = telling.meaning.field, telling.value
        if is_unfilled(value):
            self.fault(field, unfilled(value), telling.name)
        if isinstance(value, NoNumber):
            self.fault(
                field,
                f"{shown(value)} is no finite number; send one, or leave it out",
                telling.name,
            )

    def fault(self, field: str, text: str, name: str = "") -> None:
        self.faults.setdefault(
            field, f"{text} (sent as {shown(name)})" if name not in ("", field) else text
        )

    def require(self, field: str) -> None:
        self.fault(field, f"required; send it as {', '.join((field, *FIELDS[field]))}")

    def each(self, field: str) -> Iterator[object]:
        """Whatever is told for the field, what counts most first."""
        return (telling.value for telling in self._tellings[field])

    def read(
        self,
        field: str,
        convert: Callable[[object], Value | None],
        *,
        only: Container[str] = (),
        without: Container[str] = (),
    ) -> Value | None:
        """What the field says, by the name that counts most; None if it says nothing or a fault.

        `only` and `without` look at some of its aliases alone, or at the others.
        """
        for telling in self._tellings[field]:
            alias = telling.meaning.alias
            if alias in without or (only and alias not in only):
                continue
            try:
                return convert(telling.value)
            except Unreadable as fault:
                self.fault(field, str(fault), telling.name)
                return None
        return None
