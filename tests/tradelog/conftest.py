from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests.alerts import Poster
from tests.tradelog.api import Reader, token_of
from tradelog import session


@pytest.fixture
def staff(databases: None) -> Client:
    """Logged in as one who may do anything."""
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    return client


@pytest.fixture
def demo(staff: Client, post: Poster) -> Client:
    """The same, after the recorded session."""
    for message in session.ALERTS.read_text().splitlines():
        assert post(message)["status"] == "processed"
    return staff


@pytest.fixture
def api(databases: None) -> Reader:
    """Asks the API as one who may do anything."""
    cache.clear()
    return Reader(token_of(User.objects.create_superuser("reader")))
