"""What the checker can find."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can be wrong."""

    LOST = "lost"
    DOUBLED = "doubled"
    LEFT = "left in the log"
    HALF = "half an effect"
    DISAGREEMENT = "log and tables disagree"
    MISANSWERED = "the answer told something else"
    OUT_OF_ORDER = "out of log order"
    WRONG_BOOK = "a book is not what its alerts lead to"
    UNKNOWN = "never sent"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"
