"""Statements that wait for each other, and go to PostgreSQL together."""

from __future__ import annotations

import time

import pytest
from django.db import DataError, connection

import rows
from trades.models import Strategy

pytestmark = pytest.mark.usefixtures("databases")


def test_nothing_is_sent_before_an_answer_is_wanted() -> None:
    """PostgreSQL has not even begun: each statement by itself would wake it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (process,) = cursor.fetchone()
    other = connection.copy()
    try:
        with rows.transaction_in_few_trips():
            answer = rows.ask("SELECT 1")
            waits_until = time.monotonic() + 0.3
            while time.monotonic() < waits_until:
                with other.cursor() as cursor:
                    cursor.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [process])
                    assert cursor.fetchone() == ("idle",)
            assert answer() == [(1,)]
    finally:
        other.close()


def test_more_than_the_kernel_takes_at_once_is_sent() -> None:
    long = "x" * 8_000_000
    with rows.transaction_in_few_trips():
        rows.ask_to_insert([Strategy(name="Alpha")])
        length = rows.ask("SELECT length(%s)", [long])
        with connection.connection.pipeline() as pipeline:
            pipeline.sync()
        assert length() == [(len(long),)]
        length = rows.ask("SELECT length(%s)", [long])
    assert length() == [(len(long),)]
    assert Strategy.objects.exists()


def test_what_fails_at_the_end_leaves_nothing() -> None:
    with pytest.raises(DataError), rows.transaction_in_few_trips():
        rows.ask_to_insert([Strategy(name="Alpha")])
        rows.ask("SELECT 1 / 0")
    assert not Strategy.objects.exists()
    with rows.transaction_in_few_trips():
        assert rows.ask("SELECT 1")() == [(1,)]
