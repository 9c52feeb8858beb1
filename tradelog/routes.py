"""Which addresses are for people, with a session and pages, and which for programs."""

from __future__ import annotations

from typing import Final

#: What alerts and Prometheus come by: no session, and no database before its time.
_WITHOUT_DATABASE: Final = ("webhook", "metrics")

_API: Final = "api/"
#: The page that shows the API to people.
API_PAGE: Final = "api/docs/"


def is_about_alerts(path: str) -> bool:
    """Whether this path (from its first slash on) is the webhook's, or would be below it."""
    return path == "/webhook" or path.startswith("/webhook/")


def is_for_people(route: str) -> bool:
    """Whether a page stands at this route (`resolver_match.route`)."""
    return needs_database(route) and not is_of_api(route)


def is_of_api(route: str) -> bool:
    """Whether what stands at this route, or is missed there, is told in JSON."""
    return route.startswith(_API) and route != API_PAGE


def needs_database(route: str) -> bool:
    """Whether nothing at this route can be told without the main database."""
    return not route.removeprefix("^").startswith(_WITHOUT_DATABASE)
