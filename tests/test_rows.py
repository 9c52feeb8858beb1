"""Statements that wait for each other, and go to PostgreSQL together."""

from __future__ import annotations

import pytest
from django.db import DataError, connection
from psycopg.pq import PipelineStatus

import rows
from trades.models import Strategy

pytestmark = pytest.mark.usefixtures("databases")


def test_more_than_the_kernel_takes_at_once_goes_with_the_commit() -> None:
    long = "x" * 8_000_000
    with rows.transaction_in_few_trips():
        rows.ask_to_insert([Strategy(name="Alpha")])
        length = rows.ask("SELECT length(%s)", [long])
        assert connection.connection.pgconn.pipeline_status == PipelineStatus.ON
    assert length() == [(len(long),)]
    assert Strategy.objects.exists()


def test_what_fails_at_the_end_leaves_nothing() -> None:
    with pytest.raises(DataError), rows.transaction_in_few_trips():
        rows.ask_to_insert([Strategy(name="Alpha")])
        rows.ask("SELECT 1 / 0")
    assert not Strategy.objects.exists()
    with rows.transaction_in_few_trips():
        assert rows.ask("SELECT 1")() == [(1,)]
