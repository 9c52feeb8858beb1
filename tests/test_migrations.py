"""The migrations say what the models say."""

from __future__ import annotations

from django.core.management import call_command


def test_no_migration_is_missing(databases: None) -> None:
    # Exits non-zero, and says which, where a model has changed without one.
    call_command("makemigrations", check_changes=True, dry_run=True)
