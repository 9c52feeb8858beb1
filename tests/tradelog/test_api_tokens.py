"""How a person gets a token, sees it once, and takes it back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from tests.commands import in_process
from tests.leaks import leaks
from tests.tradelog.api import Reader, staff_who_may, token_of
from tradelog.models import ApiToken

LIST = "/admin/tradelog/apitoken/"
OWN = ("tradelog.view_apitoken", "tradelog.add_apitoken", "tradelog.delete_apitoken")


def made(client: Client, **form: str) -> str:
    page = client.post(f"{LIST}add/", {"name": "notebook", "days": "90", **form})
    assert page.status_code == 200
    assert "no-store" in page.headers["Cache-Control"]
    [token] = re.findall(r'id="api-token">([^<]+)<', page.content.decode())
    return str(token)


def test_a_token_is_shown_once(staff: Client) -> None:
    cache.clear()
    token = made(staff)
    assert Reader(token)("trades/").http == 200
    row = ApiToken.objects.get()
    assert (row.user.username, row.name) == ("trader", "notebook")
    assert row.expires_at is not None
    assert abs(row.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    for path in (LIST, f"{LIST}{row.pk}/change/", "/admin/"):
        page = staff.get(path, follow=True).content.decode()
        assert token not in page and row.digest not in page
    # Neither the session nor a message in a cookie carries it on.
    assert token not in str(staff.cookies) and leaks(token) == []
    assert LogEntry.objects.get().object_repr == "API token “notebook”"


def test_a_token_that_is_deleted_is_refused(staff: Client) -> None:
    cache.clear()
    token = made(staff, days="")
    row = ApiToken.objects.get()
    assert row.expires_at is None
    assert staff.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 302
    assert Reader(token)("trades/").code == "INVALID_TOKEN"


def test_a_token_is_not_changed(staff: Client) -> None:
    made(staff)
    row = ApiToken.objects.get()
    staff.post(f"{LIST}{row.pk}/change/", {"name": "another", "digest": "0" * 64})
    unchanged = ApiToken.objects.get()
    assert (unchanged.name, unchanged.digest) == (row.name, row.digest)


@pytest.mark.parametrize("form", [{"name": ""}, {"days": "1000000"}, {"name": "x" * 101}])
def test_a_form_that_is_wrong_makes_none(staff: Client, form: dict[str, str]) -> None:
    page = staff.post(f"{LIST}add/", {"name": "notebook", "days": "90", **form})
    assert page.status_code == 200 and "api-token" not in page.content.decode()
    assert ApiToken.objects.count() == 0


def test_everybody_has_their_own(databases: None) -> None:
    theirs = ApiToken.objects.get(digest__isnull=False, user=_owner())
    client = Client()
    client.force_login(staff_who_may(*OWN))
    token = made(client, user=str(theirs.user_id))
    assert ApiToken.objects.exclude(pk=theirs.pk).get().user.username == "looker"
    assert token
    assert "somebody" not in client.get(LIST).content.decode()
    assert client.get(f"{LIST}{theirs.pk}/change/").status_code == 302
    client.post(f"{LIST}{theirs.pk}/delete/", {"post": "yes"})
    assert ApiToken.objects.filter(pk=theirs.pk).exists()


def test_the_superuser_sees_all(staff: Client) -> None:
    _owner()
    assert "somebody" in staff.get(LIST).content.decode()


def test_who_lacks_the_permission_makes_none(databases: None) -> None:
    client = Client()
    client.force_login(staff_who_may("tradelog.view_apitoken"))
    assert client.post(f"{LIST}add/", {"name": "notebook", "days": ""}).status_code == 403
    assert "make one" not in client.get("/api/docs/").content.decode()


def test_the_command_prints_one(databases: None) -> None:
    cache.clear()
    User.objects.create_superuser("reader")
    out = StringIO()
    call_command("api_token", "reader", "--name", "cron", "--days", "30", stdout=out)
    assert Reader(out.getvalue().strip())("trades/").http == 200
    row = ApiToken.objects.get()
    assert row.name == "cron" and row.expires_at is not None


@pytest.mark.parametrize(
    ("arguments", "told", "status"),
    [
        (["nobody"], "There is no user 'nobody'", 1),
        (["visitor"], "staff status", 1),
        (["looker", "--name", " "], "--name", 2),
        (["looker", "--name", "x" * 101], "--name", 2),
    ],
)
def test_the_command_says_what_is_wrong(
    databases: None, arguments: list[str], told: str, status: int
) -> None:
    User.objects.create_user("visitor")
    User.objects.create_user("looker", is_staff=True)
    with pytest.raises(CommandError, match=told) as raised:
        call_command("api_token", *arguments)
    assert raised.value.returncode == status


def test_days_are_a_number_of_them(databases: None) -> None:
    ended = in_process("api_token", "looker", "--days", "0")
    assert ended.returncode == 2
    assert "'0' is no number of days from 1 to 36500" in ended.stderr
    assert ApiToken.objects.count() == 0


def _owner() -> User:
    owner = User.objects.create_superuser("somebody")
    token_of(owner)
    return owner
