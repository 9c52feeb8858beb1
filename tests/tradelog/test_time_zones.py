"""Each user reads times in a zone of their own; everything else stays in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.shown import as_time
from tests.alerts import Poster
from tests.environment import TOKEN
from tests.tradelog.pages import show, text_of
from tradelog.models import TimeZonePreference
from tradelog.timezones import choose, zone_names, zone_of

NOON = datetime(2026, 7, 1, 12, 30, 15, tzinfo=UTC)


def trader() -> User:
    return User.objects.get(username="trader")


def test_who_has_chosen_none_reads_utc(staff: Client) -> None:
    assert zone_of(trader()) is UTC
    assert show(staff).context["zone"] == UTC


def test_a_zone_is_chosen_and_holds(staff: Client) -> None:
    page = staff.post("/time-zone/", {"zone": "Asia/Tokyo", "next": "/?alerts=1"}, follow=True)
    assert page.redirect_chain == [("/?alerts=1", 302)]
    assert "Times are shown in Asia/Tokyo." in text_of(page)
    assert zone_of(trader()) == ZoneInfo("Asia/Tokyo")
    assert show(staff).context["zone"] == ZoneInfo("Asia/Tokyo")
    assert '<option value="Asia/Tokyo" selected>' in staff.get("/time-zone/").content.decode()
    staff.post("/time-zone/", {"zone": "UTC"})
    assert zone_of(trader()) == ZoneInfo("UTC")
    assert TimeZonePreference.objects.count() == 1


def test_each_user_has_their_own(staff: Client) -> None:
    choose(trader(), "Asia/Tokyo")
    other = Client()
    other.force_login(User.objects.create_superuser("other"))
    assert show(other).context["zone"] == UTC
    # And nobody inherits it from the thread's last request.
    show(staff)
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "\0", "localtime", "CET"])
def test_there_are_no_other_zones(staff: Client, zone: str) -> None:
    page = staff.post("/time-zone/", {"zone": zone})
    assert page.status_code == 400
    assert zone_of(trader()) is UTC


@pytest.mark.parametrize("following", ["https://elsewhere.example/", "//elsewhere.example/", ""])
def test_nobody_is_led_elsewhere(staff: Client, following: str) -> None:
    page = staff.post("/time-zone/", {"zone": "UTC", "next": following})
    assert page.headers["Location"] == "/"


def test_a_zone_that_is_gone_is_utc(staff: Client) -> None:
    TimeZonePreference.objects.create(user=trader(), name="Europe/Atlantis")
    assert zone_of(trader()) is UTC
    assert show(staff).status_code == 200


def test_a_time_is_told_in_the_zone_and_in_utc() -> None:
    with timezone.override(ZoneInfo("Asia/Kolkata")):
        assert as_time(NOON) == (
            '<time datetime="2026-07-01T12:30:15.000Z" title="2026-07-01 12:30:15 UTC">'
            "2026-07-01 18:00:15</time>"
        )
        assert ">2026-07-01 18:00</time>" in as_time(NOON, with_seconds=False)
    assert as_time(None) == "–"


@pytest.mark.django_db
def test_postgresql_knows_every_zone_that_can_be_chosen() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_timezone_names")
        known = {row[0] for row in cursor.fetchall()}
    assert len(zone_names()) > 300
    assert set(zone_names()) <= known


@pytest.mark.django_db
@pytest.mark.parametrize("month", [1, 7])
def test_postgresql_has_the_same_time_in_every_zone_that_can_be_chosen(month: int) -> None:
    """It takes some names for abbreviations, which know no summer time."""
    moment = datetime(2025, month, 1, 12, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, %s AT TIME ZONE name FROM unnest(%s::text[]) AS name",
            [moment, list(zone_names())],
        )
        told = dict(cursor.fetchall())
    assert told == {
        name: moment.astimezone(ZoneInfo(name)).replace(tzinfo=None) for name in zone_names()
    }


def test_who_had_chosen_an_abbreviation_has_its_region(staff: Client) -> None:
    choose(trader(), "CET")
    import_module("tradelog.migrations.0003_zones_by_region").name_the_region(apps, None)
    assert zone_of(trader()) == ZoneInfo("Europe/Brussels")


def test_an_alert_looks_nobody_up(staff: Client, post: Poster) -> None:
    """Whoever sends an alert with a session's cookie is not looked up for it."""
    choose(trader(), "Asia/Tokyo")
    post.client.cookies = staff.cookies
    with CaptureQueriesContext(connection) as queries:
        assert post(path=f"/webhook/{TOKEN}/").http == 200
    # What the alert itself asks is asked on the settler's thread.
    assert list(queries) == []
