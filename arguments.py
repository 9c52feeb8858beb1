"""What commands are told, and how they say what they were not told rightly.

On the ground floor: every app has commands.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

#: The largest that a column of ids can hold.
MOST = 2**63 - 1


def whole_number(what: str, most: int = MOST) -> Callable[[str], int]:
    """For `type=`: a number from 1 to `most`; `what` names it (`number of days`)."""

    def read(text: str) -> int:
        # Of so many digits no number is meant, and Python refuses to read very many.
        if text.isdecimal() and len(text) <= len(str(MOST)) and 1 <= int(text) <= most:
            return int(text)
        raise ArgumentTypeError(
            f"{text!r} is no {what} from 1 {'up' if most == MOST else f'to {most}'}"
        )

    return read
