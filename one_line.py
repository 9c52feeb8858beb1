"""Words of somebody else's, before they stand in a line of a log or on a terminal.

On the ground floor: log lines want it, and what is told of a file that was read.
"""

from __future__ import annotations

import re
from typing import Final

#: Control characters, what some take for the end of a line, and what turns text round.
_STEERING: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def in_one_line(text: str) -> str:
    r"""The text with what would look like another line, or steer a terminal, as `\n` or `\x1b`."""
    return text if text.isprintable() else _STEERING.sub(lambda found: ascii(found[0])[1:-1], text)
