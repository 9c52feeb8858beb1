"""Why a file cannot be read, told for whoever exported it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from one_line import in_one_line

#: More than these are counted and not listed.
_MOST_TOLD = 10


@dataclass(frozen=True, slots=True)
class ExportFault:
    """One thing that is wrong with a file, and where."""

    text: str
    #: As a spreadsheet counts rows, from 1; None where it is about the whole file.
    row: int | None = None
    #: The column's name in the file; "" where it is about the whole row.
    column: str = ""

    def __str__(self) -> str:
        place = "" if self.row is None else f"Row {self.row}"
        place += f", column {self.column}" if self.column else ""
        # Cells are quoted, and a terminal obeys what it is shown.
        return in_one_line(f"{place}: {self.text}" if place else self.text)


class ExportUnreadable(Exception):
    """This is no list of trades that can be read; `faults` says all that is wrong with it."""

    def __init__(self, *faults: ExportFault) -> None:
        self.faults: Sequence[ExportFault] = faults
        told = [str(fault) for fault in faults[:_MOST_TOLD]]
        if len(faults) > _MOST_TOLD:
            told.append(f"And {len(faults) - _MOST_TOLD} more.")
        super().__init__("\n".join(told))


class CellUnreadable(Exception):
    """A cell does not hold what its column is for; the message says what it holds."""


def shown(value: object) -> str:
    """A cell's value as an error quotes it."""
    text = str(value)
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
