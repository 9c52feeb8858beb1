"""Whether people who see little, or hear a page read aloud, can use it."""

from __future__ import annotations

from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: The Web Content Accessibility Guidelines 2.1 up to level AA, as far as a program can tell.
_RULES: Final = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
#: Django's choice of a user's permissions and way to a user's password; and Swagger UI.
_NOT_OURS: Final = {"exclude": [".selector", "a[href$='/password/']", ".swagger-ui"]}
_AXE: Final = Axe()


def barriers(page: Page) -> list[str]:
    """What of a page some people cannot use, and why, by axe-core."""
    found = _AXE.run(page, _NOT_OURS, {"runOnly": _RULES, "resultTypes": ["violations"]})
    return [
        f"{rule['help']}: {node['html']} {node['failureSummary']}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]
