#!/usr/bin/env python3
"""Runs the commands of the project, with the embedded database up where one needs it."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path

from stopping import end_when_told

#: They use no database. Any other command may; `serve` and `restore` see to it themselves,
#: once their arguments have been understood.
WITHOUT_DATABASE = frozenset(
    {
        "check",
        "collectstatic",
        "compilemessages",
        "diffsettings",
        "findstatic",
        "help",
        "makemessages",
        "restore",
        "serve",
        "startapp",
        "startproject",
        "version",
    }
)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradelog.settings")
    # What is kept on disk is the trader's business alone.
    os.umask(0o077)
    end_when_told()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal or a file cannot show must not end a command, as Python has it for errors.
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = sys.argv[1:]
    command = arguments[0] if arguments else "help"
    only_help = command.startswith("-") or not {"-h", "--help"}.isdisjoint(arguments)
    if command == "serve" and not only_help:
        _write_secrets()
    if command not in WITHOUT_DATABASE and not only_help:
        _hold_database()

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


def _write_secrets() -> None:
    """On the very first start; where the environment brings the secrets, there is nothing to do."""
    from tradelog.firstrun import write_env

    if os.environ.get("SECRET_KEY"):
        return
    try:
        written = write_env(Path(__file__).parent / ".env")
    except OSError as error:
        sys.exit(
            f"SECRET_KEY is not set, and no .env can be written here ({error.strerror}): set "
            "SECRET_KEY, TRAIL_KEY and WEBHOOK_TOKENS in the environment."
        )
    if written:
        print("Wrote .env with fresh secrets, readable by you alone.", flush=True)


def _hold_database() -> None:
    from django.conf import settings

    if settings.EMBEDDED_POSTGRES:
        from tradelog.embedded import Cluster, ClusterError

        try:
            Cluster(settings.TRADELOG_DATA / "postgres").hold()
        except ClusterError as error:
            sys.exit(f"{error}")


def _run() -> None:
    try:
        main()
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


if __name__ == "__main__":
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Who reads what is printed has read enough (`| head`). Python would try again to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        from tradelog import command_trouble

        if "--traceback" in sys.argv or not (told := command_trouble.told(error)):
            raise
        sys.exit(told)
