"""Files that are sent with a form: whose are kept, and how many."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.test import Client

#: The second is more than is held in memory.
SIZES = [1_000, 3 * 1024 * 1024]


def upload(client: Client, url: str, *sizes: int) -> tuple[int, list[int]]:
    """The answer's status, and how large the files are that the page could read."""
    files = {
        f"file{number}": SimpleUploadedFile("export.csv", b"x" * size)
        for number, size in enumerate(sizes)
    }
    response = client.post(url, {"username": "trader", "password": "wrong", **files})
    kept = response.wsgi_request.FILES.values()
    return response.status_code, [file.size or 0 for file in kept if isinstance(file, UploadedFile)]


@pytest.mark.parametrize("size", SIZES)
def test_nothing_of_a_strangers_is_kept(databases: None, size: int) -> None:
    """The log-in's form is read before anything is known of who sends it."""
    assert upload(Client(), "/admin/login/", size) == (200, [])


@pytest.mark.parametrize("size", SIZES)
def test_nothing_of_who_is_no_staff_is_kept(databases: None, size: int) -> None:
    client = Client()
    client.force_login(User.objects.create_user("nobody"))
    assert upload(client, "/admin/login/", size) == (200, [])


@pytest.mark.parametrize("size", SIZES)
def test_staff_may_send_one_file(databases: None, size: int) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    assert upload(client, "/time-zone/", size) == (400, [size])
    assert upload(client, "/time-zone/", size, size) == (400, [])
