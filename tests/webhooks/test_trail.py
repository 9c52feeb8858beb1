"""The tamper-evident trail: what was changed, removed or put in between is found."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F
from pytest_django import Settings

from positions.models import Lot
from tests.alerts import Poster
from tests.commands import run
from tests.factories import StrategyFactory
from trades.models import Strategy
from wal.models import Entry
from webhooks import trail, trail_hash
from webhooks.models import TrailAnchor, WebhookLog
from webhooks.replay import Choice, replay

audit = partial(run, "audit_trades")


@pytest.fixture
def trailed(post: Poster) -> list[WebhookLog]:
    """Six alerts of one book, three of another, three refused ones."""
    for minute in range(6):
        post(time=f"2026-01-05T15:0{minute}:00Z")
        if minute % 2:
            post(symbol="OTHER", time=f"2026-01-05T15:0{minute}:00Z")
            post(price="nonsense", comment=str(minute))
    assert list(trail.verify()) == []
    return list(WebhookLog.objects.order_by("id"))


def book_of(logs: list[WebhookLog], symbol: str = "BINANCE:BTCUSDT") -> list[WebhookLog]:
    return [log for log in logs if log.chain == f"Alpha\x1f{symbol}"]


def found() -> list[int | None]:
    return [one.log_id for one in trail.verify()]


def test_everything_that_happens_live_keeps_it_whole(post: Poster) -> None:
    post(action="exit", time="2026-01-05T15:00:00Z")  # Parked, until its entry is there.
    post(time="2026-01-05T14:00:00Z")
    post()
    post()  # A duplicate.
    post(action="sell", quantity="3", time="2026-01-05T16:00:00Z")  # A reversal.
    post(is_test=True, time="2026-01-05T17:00:00Z")
    post("no JSON")
    post("no JSON")
    assert {log.chain for log in WebhookLog.objects.all()} == {"Alpha\x1fBINANCE:BTCUSDT", "-"}
    assert list(trail.verify()) == []


def test_a_failed_alert_that_is_tried_again_keeps_its_place(post: Poster) -> None:
    StrategyFactory(enabled=False)
    post()
    Strategy.objects.update(enabled=True)
    call_command("replay_wal", failed=True, stdout=StringIO())
    log = WebhookLog.objects.get(strategy="Alpha")
    assert (log.status, log.place) == ("processed", 1)
    assert list(trail.verify()) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("payload", '{"price": "1"}'),
        ("strategy", "Beta"),
        ("symbol", "ELSEWHERE"),
        ("received_at", datetime(2020, 1, 1, tzinfo=UTC)),
        ("order_time", None),
        ("source_address", "203.0.113.7"),
        ("token_name", "another"),
        ("is_test", True),
        ("via_mail", True),
        ("wal_id", 1),
        ("idempotency_key", "another"),
    ],
)
def test_what_came_in_was_changed(trailed: list[WebhookLog], column: str, value: object) -> None:
    changed = book_of(trailed)[2]
    WebhookLog.objects.filter(pk=changed.pk).update(**{column: value})
    (one,) = trail.verify()
    assert (one.log_id, "what came in was changed" in one.sentence) == (changed.pk, True)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("action", "closed"),
        ("quantity", 7),
        ("price", "100.1"),
        ("position_after", 9),
        ("drift", True),
        ("processed_at", datetime(2026, 1, 1, tzinfo=UTC)),
        ("error_fields", {"price": "is wrong"}),
    ],
)
def test_what_became_of_it_was_changed(
    trailed: list[WebhookLog], column: str, value: object
) -> None:
    changed = book_of(trailed)[2]
    WebhookLog.objects.filter(pk=changed.pk).update(**{column: value})
    (one,) = trail.verify()
    assert one.log_id == changed.pk
    assert one.sentence == f"What became of alert {changed.pk} was changed."


def remove(log: WebhookLog) -> None:
    Lot.objects.filter(entry_webhook_log=log).delete()
    WebhookLog.objects.filter(pk=log.pk).delete()


def test_one_in_the_middle_was_removed(trailed: list[WebhookLog]) -> None:
    removed, after = book_of(trailed)[2:4]
    remove(removed)
    first, gone = trail.verify()
    assert first.log_id == after.pk
    assert f"Before alert {after.pk}, 1 alert missing" in first.sentence
    assert (gone.log_id, f"Alert {removed.pk} is gone" in gone.sentence) == (None, True)


def test_one_in_the_middle_was_removed_and_the_gap_closed(trailed: list[WebhookLog]) -> None:
    removed, *later = book_of(trailed)[2:]
    remove(removed)
    for log in later:
        WebhookLog.objects.filter(pk=log.pk).update(place=F("place") - 1)
    assert later[0].pk in found()


def test_the_last_one_was_removed(trailed: list[WebhookLog]) -> None:
    last = book_of(trailed)[-1]
    remove(last)
    (gone,) = trail.verify()
    assert f"Alert {last.pk} is gone" in gone.sentence


def test_one_was_put_in(trailed: list[WebhookLog]) -> None:
    """With all that its neighbour has, and the key unknown."""
    forged = WebhookLog.objects.get(pk=book_of(trailed)[-1].pk)
    forged.pk = None
    forged.correlation_id = "00000000-0000-0000-0000-000000000001"
    forged.idempotency_key = "forged"
    forged.place += 1
    forged.link = trail_hash.link("a guess", forged.chain, forged.place, forged.link, vars(forged))
    forged.seal = trail_hash.seal("a guess", forged.link, vars(forged))
    forged.save(force_insert=True)
    assert found() == [forged.pk, forged.pk]


def test_one_was_put_before_the_first(trailed: list[WebhookLog]) -> None:
    first = book_of(trailed)[0]
    WebhookLog.objects.filter(pk=first.pk).update(place=0)
    put_in, *_ = trail.verify()
    assert put_in.sentence == (
        f"Alert {first.pk} was put in: its place is 0, and the first that is kept has 1."
    )


def test_two_changed_places(trailed: list[WebhookLog]) -> None:
    one, other = book_of(trailed)[2:4]
    WebhookLog.objects.filter(pk=one.pk).update(place=-1)
    WebhookLog.objects.filter(pk=other.pk).update(place=one.place)
    WebhookLog.objects.filter(pk=one.pk).update(place=other.place)
    assert {one.pk, other.pk} <= set(found())


def test_many_writers_at_once(post: Poster) -> None:
    """Refused alerts of all threads are one chain; books are chains of their own."""

    def send(number: int) -> None:
        post(symbol=f"S{number % 4}", comment=str(number), time=None, price=None)
        post(symbol=f"S{number % 4}", time=f"2026-01-05T15:00:{number:02}Z")
        connections.close_all()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(send, range(48)))
    # What was not done in time, on a busy machine.
    list(replay(Choice()))
    assert WebhookLog.objects.filter(chain="-").count() == 48
    assert list(trail.verify()) == []


def test_forgetting_says_so_and_stays_whole(trailed: list[WebhookLog], post: Poster) -> None:
    refused = [log for log in trailed if log.chain == trail.REFUSED]
    Entry.objects.filter(webhook_log_id__in=[log.pk for log in refused[:2]]).delete()
    assert trail.forget(trail.REFUSED, up_to=refused[1].place) == 2
    assert list(trail.verify()) == []
    Entry.objects.filter(webhook_log_id=refused[2].pk).delete()
    assert trail.forget(trail.REFUSED, up_to=refused[2].place) == 1
    post("no JSON")
    assert WebhookLog.objects.get(chain=trail.REFUSED).place == 4
    assert list(trail.verify()) == []

    TrailAnchor.objects.update(place=2)
    assert "pruned was changed" in next(trail.verify()).sentence


def test_another_key_verifies_nothing(trailed: list[WebhookLog], settings: Settings) -> None:
    settings.TRAIL_KEY = "another"
    assert set(found()) == {log.pk for log in trailed}


def test_a_mended_book_is_sealed_again(trailed: list[WebhookLog]) -> None:
    WebhookLog.objects.filter(pk=book_of(trailed)[2].pk).update(action="closed", quantity=5)
    assert found()
    call_command("reconcile_positions", fix=True, stdout=StringIO())
    assert list(trail.verify()) == []


def test_the_command_names_the_first(trailed: list[WebhookLog]) -> None:
    assert audit("--verify-chain")[0] == 0
    one, other = book_of(trailed)[1], book_of(trailed)[4]
    WebhookLog.objects.filter(pk__in=[one.pk, other.pk]).update(token_name="another")
    status, output = audit("--verify-chain")
    assert status == 1
    assert f"The trail does not hold. First: Alert {one.pk}," in output
    status, output = audit("--verify-chain", "--format", "json")
    told = json.loads(output)
    assert (status, told["clean"]) == (1, False)
    assert [one["webhook_log_id"] for one in told["breaks"]] == [one.pk, other.pk]


def test_rows_from_before_the_trail_are_chained(databases: None) -> None:
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()
    executor.migrate([("webhooks", "0001_initial")])
    try:
        OldLog: Any = executor.loader.project_state([("webhooks", "0001_initial")]).apps.get_model(
            "webhooks", "WebhookLog"
        )
        began = datetime(2026, 1, 5, tzinfo=UTC)
        for number in range(5):
            OldLog.objects.create(
                correlation_id=f"00000000-0000-0000-0000-00000000000{number}",
                wal_id=number,
                idempotency_key=str(number),
                status="rejected" if number == 3 else "processed",
                error_code="INVALID_JSON" if number == 3 else "",
                strategy="Alpha",
                symbol=f"S{number % 2}",
                payload="{}",
                price="1.50",
                source_address="::ffff:1.2.3.4",
                received_at=began + timedelta(microseconds=number),
                processed_at=began + timedelta(seconds=1),
            )
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(newest)
    assert WebhookLog.objects.count() == 5
    assert list(trail.verify()) == []
    WebhookLog.objects.filter(wal_id=2).update(payload="[]")
    assert [one.log_id for one in trail.verify()] == [WebhookLog.objects.get(wal_id=2).pk]


def test_hashes_are_over_all_of_it() -> None:
    row = dict.fromkeys((*trail_hash.CAME_IN, *trail_hash.BECAME), "")
    one = trail_hash.link("key", "chain", 1, trail_hash.BEGINNING, row)
    for name in trail_hash.CAME_IN:
        other = trail_hash.link("key", "chain", 1, trail_hash.BEGINNING, row | {name: "x"})
        assert other != one
    for key, chain, place, previous in (
        ("other", "chain", 1, trail_hash.BEGINNING),
        ("key", "other", 1, trail_hash.BEGINNING),
        ("key", "chain", 2, trail_hash.BEGINNING),
        ("key", "chain", 1, one),
    ):
        assert trail_hash.link(key, chain, place, previous, row) != one
    sealed = trail_hash.seal("key", one, row)
    for name in trail_hash.BECAME:
        assert trail_hash.seal("key", one, row | {name: "x"}) != sealed


def test_every_column_is_hashed() -> None:
    """A new column must be told to the trail, or it can be changed unnoticed."""
    came_in = {*trail_hash.CAME_IN, *trail_hash.CAME_IN_LATELY}
    hashed = {*came_in, *trail_hash.BECAME, "id", "chain", "place", "link", "seal"}
    assert {field.attname for field in WebhookLog._meta.concrete_fields} == hashed


def test_a_younger_flag_leaves_older_rows_their_hash(trailed: list[WebhookLog]) -> None:
    row = {name: getattr(trailed[0], name) for name in trail_hash.CAME_IN}

    def link(**flags: bool) -> str:
        return trail_hash.link("key", "chain", 1, trail_hash.BEGINNING, row | flags)

    assert link() == link(via_mail=False) != link(via_mail=True)
