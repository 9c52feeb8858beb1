"""`manage.py partition_log`: the write-ahead log in months, on a PostgreSQL."""

from __future__ import annotations

import time
from datetime import UTC
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from django.utils import timezone

from wal.partitions import NotPartitionable, partition


class Command(BaseCommand):
    help = (
        "Keep the write-ahead log in one table a month, where it lies on a PostgreSQL "
        "(WAL_DATABASE_URL); docs/scaling.md says what for. Nothing is copied, and servers may "
        "run: their alerts wait while the table is read once, or are answered 503 and sent "
        "again. From then on `prune` makes the months to come, and drops those it has emptied. "
        "Exit status: 0 done, 1 it failed and nothing has changed, 2 usage."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        begun = time.monotonic()
        try:
            kept = partition(timezone.now().astimezone(UTC).date())
        except NotPartitionable as fault:
            raise CommandError(str(fault), returncode=2) from fault
        except OperationalError as error:
            raise CommandError(f"Nothing has changed: {str(error).strip()}") from error
        self.stdout.write(
            f"The log is kept in months, after {time.monotonic() - begun:.2f} s: "
            f"{', '.join(kept.made)}."
        )
