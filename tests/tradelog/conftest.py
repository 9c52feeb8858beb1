from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests.alerts import Poster
from tests.tradelog.api import Reader, token_of
from tests.tradelog.clusters import cleaned_up
from tradelog import session
from tradelog.embedded import Cluster


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


@pytest.fixture(scope="module")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as the first start leaves it: initdb takes most of a test's time."""
    cluster = Cluster(tmp_path_factory.mktemp("made") / "postgres")
    cluster.start()
    cluster.stop()
    return cluster.path


@pytest.fixture
def cluster(tmp_path: Path, made_folder: Path) -> Iterator[Cluster]:
    """A cluster that ran before, in a folder with a space in its name."""
    folder = tmp_path / "my data"
    folder.mkdir()
    subprocess.run(["cp", "-a", str(made_folder), str(folder)], check=True)
    yield from cleaned_up(Cluster(folder / "postgres"))


@pytest.fixture
def new_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that has never run."""
    yield from cleaned_up(Cluster(tmp_path / "my data" / "postgres"))
