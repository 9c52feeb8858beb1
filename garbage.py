"""How often Python looks for garbage in a process that settles alerts.

On the ground floor, beside the clocks: servers and replay both ask for it.
"""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    """Leave out of every collection what is loaded by now, and collect less often.

    Else each one walks through all of the program's modules. What an alert makes is gone with
    it, without a collection (docs/performance.md has the figures).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
