"""Management commands, run in this process."""

from __future__ import annotations

from io import StringIO

from django.core.management import call_command


def run(name: str, *arguments: str) -> tuple[int, str]:
    """Its exit status and what it prints, errors among it."""
    printed = StringIO()
    try:
        call_command(name, *arguments, stdout=printed, stderr=printed)
    except SystemExit as end:
        return int(end.code or 0), printed.getvalue()
    return 0, printed.getvalue()
