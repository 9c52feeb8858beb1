"""Which addresses are for people, with a session and pages, and which for machines."""

from __future__ import annotations

from typing import Final

#: What alerts and monitors come by: no session, and no database before its time.
_FOR_MACHINES: Final = ("webhook", "health/", "metrics")


def is_for_people(route: str) -> bool:
    """Whether a page stands at this route (`resolver_match.route`)."""
    return not route.removeprefix("^").startswith(_FOR_MACHINES)
