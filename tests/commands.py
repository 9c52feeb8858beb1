"""Management commands, run in this process or in one of their own."""

from __future__ import annotations

import subprocess
from io import StringIO

from django.core.management import call_command

from tests.installation import manage
from tests.server import databases_of_this_run


def run(name: str, *arguments: str) -> tuple[int, str]:
    """Its exit status and what it prints, errors among it."""
    printed = StringIO()
    try:
        call_command(name, *arguments, stdout=printed, stderr=printed)
    except SystemExit as end:
        return int(end.code or 0), printed.getvalue()
    return 0, printed.getvalue()


def in_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py` as people run it, on this test run's databases where nothing else is said."""
    return manage(*arguments, **{**databases_of_this_run(), **environment})
