from __future__ import annotations

import time
from collections.abc import Iterator

import django_ratelimit.core
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

import deadline
from tests.alerts import Poster
from tests.server import Server

hypothesis_settings.register_profile(
    "tests",
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
hypothesis_settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use `databases` really commit, to both of them."""
    committing = pytest.mark.django_db(transaction=True, databases=["default", "wal"])
    for item in items:
        if "databases" in getattr(item, "fixturenames", ()):
            item.add_marker(committing)


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Start the embedded PostgreSQL before the test databases are made in it."""
    if settings.EMBEDDED_POSTGRES:
        from tradelog.embedded import Cluster

        Cluster(settings.TRADELOG_DATA / "postgres").hold()


@pytest.fixture
def databases(transactional_db: None) -> None:
    """Both databases, really committed to: threads and processes see what tests write."""


@pytest.fixture
def together(databases: None) -> None:
    """A PostgreSQL to which the statements of a transaction go together."""
    if not deadline.notices_silence(connection):
        pytest.skip("before PostgreSQL 17 each statement goes alone")


@pytest.fixture
def one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this process counts, it counts in the five minutes that begin now.

    Else the clock decides when a window ends, and one may in the middle of a test.
    """
    end = int(time.time()) + 300
    monkeypatch.setattr(django_ratelimit.core, "_get_window", lambda value, period: end)


@pytest.fixture
def post(databases: None) -> Poster:
    """Post alerts, in this process; they go the way a server has them go."""
    cache.clear()
    return Poster()


@pytest.fixture
def server(databases: None) -> Iterator[Server]:
    """A real server, its worker processes on the test databases.

    Patient, because the machine may be busy; what must be in time is tested elsewhere.
    """
    with Server(ANSWER_SECONDS="20") as running:
        yield running
