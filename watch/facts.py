"""What the rules judge, gathered from both databases by what has an index."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import TimeoutError as WriteTimeout
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import Error, connection

import deadline
from faults import lacks_tables
from positions.findings import Finding, FindingKind
from trades.corrections import DISCREPANT
from trades.models import Strategy, Trade
from wal import journal
from wal.backlog import Backlog, backlog
from watch.silence import Rhythm, Rhythms
from webhooks import main_database
from webhooks.reconcile import find
from webhooks.traffic import Asked, Latency, StrategyTraffic, latency, traffic_by_strategy

logger = logging.getLogger(__name__)

#: Seconds the main database has to answer at all, to answer what is asked, to reconcile.
_ANSWER_SECONDS: Final = 5.0
_QUESTION_SECONDS: Final = 30.0
_RECONCILIATION_SECONDS: Final = 1800.0

LACKS_TABLES: Final = "has not the tables it should have: `manage.py migrate` makes them"
_LOG_LACKS_TABLES: Final = (
    "it has not the tables it should have: `manage.py migrate --database wal` makes them"
)

#: The latest trades that are looked through for a discrepancy.
MOST_DISCREPANCIES: Final = 500


@dataclass(frozen=True, slots=True)
class Records:
    """What the main database holds."""

    strategies: dict[str, Strategy]
    #: Of what became of alerts within the window, whenever they were received.
    traffic: list[StrategyTraffic]
    latency: Latency | None
    #: Trades of the window with another P&L than the alert reported, uncorrected, by strategy.
    discrepancies: Counter[str]
    rhythms: dict[str, Rhythm]


@dataclass(frozen=True, slots=True)
class Facts:
    """How things stand."""

    now: datetime
    #: How far back what came is looked at.
    window: timedelta
    #: What is wrong with a database, without addresses: what it is, or has not. "": nothing.
    database_trouble: str
    #: Why the log cannot be used.
    log_trouble: str
    #: None: it could not be read.
    backlog: Backlog | None
    records: Records | None
    #: None: nobody reconciled this time.
    findings: list[Finding] | None
    #: Why reconciling itself failed: the kind of fault. "": it did not.
    reconciling_trouble: str = ""


def gather(now: datetime, rhythms: Rhythms, *, reconcile: bool) -> Facts:
    """Look at everything; a database that is out of reach is a fact. Raises nothing of theirs."""
    window = timedelta(minutes=settings.ALERT_WINDOW_MINUTES)
    asked = Asked(now - window, now)
    held, log_trouble = _held(asked)
    records: Records | None = None
    findings: list[Finding] | None = None
    database_trouble = reconciling_trouble = ""
    try:
        main_database.ask(_ANSWER_SECONDS)
        with deadline.within(_QUESTION_SECONDS):
            records = Records(
                strategies={strategy.name: strategy for strategy in Strategy.objects.all()},
                traffic=traffic_by_strategy(asked),
                latency=latency(asked),
                discrepancies=_discrepancies(asked),
                rhythms=rhythms.at(now),
            )
        if reconcile and not log_trouble:
            findings, reconciling_trouble = _reconciled()
    except Error as error:
        is_bare = lacks_tables(error)
        database_trouble = LACKS_TABLES if is_bare else f"is out of reach ({type(error).__name__})"
    return Facts(
        now, window, database_trouble, log_trouble, held, records, findings, reconciling_trouble
    )


def _reconciled() -> tuple[list[Finding], str]:
    """What does not add up, and why that cannot be told; raises if the database is away."""
    try:
        with deadline.within(_RECONCILIATION_SECONDS):
            found = find()
    except Exception as error:
        # It may have answered with an error, or not been asked at all; it is away only if it
        # does not answer now, on a connection of which nothing is expected.
        connection.close()
        main_database.ask(_ANSWER_SECONDS)
        # Rows nobody expected; every other rule goes on being asked.
        logger.exception("Reconciling failed")
        return [], type(error).__name__
    # What is stuck in the log has rules of its own.
    return [one for one in found if one.kind is not FindingKind.ENTRY_STUCK], ""


def _held(asked: Asked) -> tuple[Backlog | None, str]:
    held: Backlog | None = None
    try:
        held = backlog(since=asked.since, until=asked.until)
        journal.check_writable()
    except (Error, WriteTimeout) as error:
        return held, _LOG_LACKS_TABLES if lacks_tables(error) else type(error).__name__
    return held, ""


def _discrepancies(asked: Asked) -> Counter[str]:
    latest = (
        Trade.objects.filter(DISCREPANT)
        .order_by("-id")
        .values_list("strategy__name", "created_at")[:MOST_DISCREPANCIES]
    )
    return Counter(name for name, made_at in latest if asked.since <= made_at < asked.until)
