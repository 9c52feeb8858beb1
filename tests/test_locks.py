"""Locks that are held while other transactions come and go."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, transaction

import locks

pytestmark = pytest.mark.usefixtures("databases")

KEY = 0x74657374


def is_free() -> bool:
    """Whether another session would have it at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [KEY])
        [free] = cursor.fetchone()
    return bool(free)


def test_it_is_held_whatever_is_committed_meanwhile() -> None:
    with locks.held(DEFAULT_DB_ALIAS, KEY):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.close()
        assert not is_free()
    assert is_free()


def test_it_ends_with_what_fails() -> None:
    with pytest.raises(ZeroDivisionError), locks.held(DEFAULT_DB_ALIAS, KEY):
        assert not is_free()
        _ = 1 / 0
    assert is_free()


@pytest.fixture
def ends_idle_transactions() -> Iterator[None]:
    """A database that ends a transaction in which nothing is asked for a moment."""
    _tell_the_database("SET {} = '20ms'")
    yield
    _tell_the_database("RESET {}")


def _tell_the_database(change: str) -> None:
    database = connection.ops.quote_name(connection.settings_dict["NAME"])
    told = change.format("idle_in_transaction_session_timeout")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {database} {told}")
    # Connections that are there already do not hear of it.
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]


def test_it_is_held_while_nothing_is_asked(ends_idle_transactions: None) -> None:
    with locks.held(DEFAULT_DB_ALIAS, KEY):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.2)")
        assert not is_free()


def test_the_next_one_waits_for_it() -> None:
    def take() -> None:
        with locks.held(DEFAULT_DB_ALIAS, KEY):
            pass

    with ThreadPoolExecutor(1) as other:
        with locks.held(DEFAULT_DB_ALIAS, KEY):
            waiting = other.submit(take)
            with connection.cursor() as cursor:
                while True:
                    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                    if cursor.fetchone() != (0,):
                        break
                    assert not waiting.done()
        waiting.result()
