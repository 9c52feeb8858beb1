"""Replay by several processes: the same effects as by one, whatever becomes of one of them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from io import StringIO
from multiprocessing.connection import Connection, wait

import pytest
from django.core.management import CommandError, call_command

from positions.models import Lot
from tests.alerts import Poster
from tests.commands import in_process
from tests.factories import StrategyFactory
from tests.server import NOWHERE, databases_of_this_run
from trades.models import Strategy, Trade
from wal import journal
from wal.models import Entry
from webhooks import side_by_side
from webhooks.management.commands import replay_wal
from webhooks.models import WebhookLog
from webhooks.replay import Share
from webhooks.side_by_side import (
    MOST,
    WORTH_ANOTHER,
    WORTH_IT,
    Progress,
    processes_for,
    settle_side_by_side,
)

BOOKS = [f"BINANCE:S{number}" for number in range(6)]


@pytest.fixture
def trades(post: Poster) -> set[tuple[object, ...]]:
    """The trades of a log whose entries all want their effect again."""
    for number in range(4):
        for book in BOOKS:
            side = "buy" if number % 2 == 0 else "sell"
            answer = post(symbol=book, action=side, price=100 + number**2, order_id=str(number))
            assert answer["status"] == "processed"
    made = trades_made()
    assert len(made) == 2 * len(BOOKS)
    for table in (Lot, WebhookLog, Trade):
        table.objects.all().delete()
    Entry.objects.update(status="pending", webhook_log_id=None, settled_at=None)
    return made


@pytest.fixture
def children_on_the_same_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in databases_of_this_run().items():
        monkeypatch.setenv(name, value)


def trades_made() -> set[tuple[object, ...]]:
    return set(
        Trade.objects.values_list(
            "symbol", "direction", "quantity", "entry_price", "exit_price", "pnl"
        )
    )


def replayed_by(processes: int, **environment: str) -> tuple[int, str]:
    """The command's exit status, and what it said."""
    done = in_process("replay_wal", "--processes", str(processes), **environment)
    return done.returncode, done.stdout


def books_of(entries: Iterable[Entry]) -> set[str]:
    return {entry.book for entry in entries}


@pytest.mark.parametrize("is_labelled", [True, False], ids=["labelled", "unread"])
def test_trades_are_the_same_as_live(trades: set[tuple[object, ...]], is_labelled: bool) -> None:
    if not is_labelled:
        Entry.objects.update(book="")
    assert replayed_by(3) == (0, f"{4 * len(BOOKS)} alerts settled.\n")
    assert trades_made() == trades
    assert not journal.unsettled().exists()


def test_the_processes_do_it(
    trades: set[tuple[object, ...]], children_on_the_same_databases: None
) -> None:
    """And leave nothing to the one that comes after them."""
    assert sum(progress.settled for progress in settle_side_by_side(2)) == 4 * len(BOOKS)
    assert trades_made() == trades
    assert multiprocessing.active_children() == []


def test_each_book_is_of_one_share(trades: set[tuple[object, ...]]) -> None:
    entries = list(Entry.objects.all())
    shares = [books_of(filter(Share(number, 3).has, entries)) for number in range(3)]
    assert sorted(book for share in shares for book in share) == sorted(books_of(entries))
    assert all(shares), "each has something to do"


def at_the_first_wait(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Act when the processes have been started, and none of them has begun with its share."""

    def acting(reports: list[Connection]) -> list[object]:
        monkeypatch.undo()
        act()
        return list(wait(reports))

    monkeypatch.setattr(side_by_side, "wait", acting)


def test_the_share_of_a_process_that_dies_is_left(
    trades: set[tuple[object, ...]],
    children_on_the_same_databases: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_the_first_wait(monkeypatch, lambda: multiprocessing.active_children()[0].kill())
    done = sum(progress.settled for progress in settle_side_by_side(2))
    left = list(journal.unsettled())
    assert done + len(left) == 4 * len(BOOKS)
    assert books_of(left) in [
        books_of(filter(Share(number, 2).has, Entry.objects.all())) for number in range(2)
    ]
    call_command("replay_wal")
    assert trades_made() == trades


def test_whoever_breaks_it_off_ends_them(
    trades: set[tuple[object, ...]],
    children_on_the_same_databases: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    at_the_first_wait(monkeypatch, interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(settle_side_by_side(2))
    assert multiprocessing.active_children() == []
    assert journal.unsettled().count() == 4 * len(BOOKS)


def test_what_wants_attention_is_told_once(trades: set[tuple[object, ...]]) -> None:
    Strategy.objects.all().delete()
    StrategyFactory(name="Alpha", enabled=False)
    status, told = replayed_by(2)
    assert status == 1
    lines = told.splitlines()
    assert lines[-1] == f"{4 * len(BOOKS)} alerts settled, {4 * len(BOOKS)} of them failed."
    ids = {line.partition(":")[0] for line in lines[:-1]}
    assert ids == {f"entry {entry.pk}" for entry in Entry.objects.all()}
    assert len(lines) == 4 * len(BOOKS) + 1
    assert all("failed: STRATEGY_DISABLED" in line for line in lines[:-1])


def test_with_the_database_down_everything_stays(trades: set[tuple[object, ...]]) -> None:
    status, told = replayed_by(2, DATABASE_URL=NOWHERE)
    assert status == 1
    assert "stays in the log: DATABASE_UNAVAILABLE" in told
    everything = 4 * len(BOOKS)
    assert told.endswith(f"\n0 alerts settled; {everything} stay in the log, to be tried again.\n")
    assert journal.unsettled().count() == 4 * len(BOOKS)


@pytest.mark.parametrize(
    ("arguments", "entries", "asked_for"),
    [
        (["--processes", "3"], 1, [3]),
        (["--processes", "1"], WORTH_IT, []),
        ([], WORTH_IT, [2]),
        ([], WORTH_ANOTHER, [3]),
        ([], WORTH_IT - 1, []),
    ],
)
def test_the_command_asks_for_them(
    databases: None,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    entries: int,
    asked_for: list[int],
) -> None:
    asked: list[int] = []

    def settle(processes: int) -> list[Progress]:
        asked.append(processes)
        return [Progress(5), Progress(2, ("entry 7: failed",))]

    monkeypatch.setattr(replay_wal, "settle_side_by_side", settle)
    monkeypatch.setattr(replay_wal, "how_many", lambda choice: entries)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    said = StringIO()
    # One of what they did wants attention.
    with pytest.raises(SystemExit) if asked_for else nullcontext():
        call_command("replay_wal", *arguments, stdout=said)
    assert asked == asked_for
    told = (
        "entry 7: failed\n7 alerts settled, 1 of them failed" if asked_for else "0 alerts settled"
    )
    assert said.getvalue() == f"{told}.\n"


def test_few_entries_are_one_process_s_work() -> None:
    assert processes_for(WORTH_IT - 1) == 1
    assert 1 <= processes_for(WORTH_IT) <= MOST


@pytest.mark.parametrize(
    ("cores", "entries", "processes"),
    [
        (1, WORTH_IT, 1),
        (2, WORTH_IT, 2),
        (MOST, WORTH_IT, MOST),
        (64, WORTH_IT, MOST),
        (1, WORTH_ANOTHER, 2),
        (2, WORTH_ANOTHER - 1, 2),
        (2, WORTH_ANOTHER, 3),
        (MOST, WORTH_ANOTHER, MOST),
    ],
)
@pytest.mark.parametrize("is_told_which", [True, False])
def test_many_are_a_process_s_a_core(
    monkeypatch: pytest.MonkeyPatch, cores: int, entries: int, processes: int, is_told_which: bool
) -> None:
    if is_told_which:
        which = set(range(cores))
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: which, raising=False)
    else:
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert processes_for(entries) == processes


@pytest.mark.parametrize("choice", [["--failed"], ["--limit", "3"], ["--follow"], ["--id", "1"]])
def test_a_choice_is_one_process_s_work(databases: None, choice: list[str]) -> None:
    with pytest.raises(CommandError, match="not for a choice") as error:
        call_command("replay_wal", "--processes", "2", *choice)
    assert error.value.returncode == 2
