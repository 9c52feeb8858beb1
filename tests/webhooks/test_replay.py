"""`manage.py replay_wal`, as people call it."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.commands import in_process
from tests.commands import run as ended
from tests.factories import EntryFactory, StrategyFactory
from tests.server import NOWHERE, ROOT, databases_of_this_run
from tests.webhooks.test_reconcile import ago, log
from tests.webhooks.test_rollback import EXIT, refusing
from trades.models import Strategy
from wal.models import Entry
from webhooks.models import WebhookLog
from webhooks.replay import Choice, chosen, how_many


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("replay_wal", *arguments, stdout=output)
    return output.getvalue()


@pytest.fixture
def left_over(post: Poster) -> list[Entry]:
    """Three entries in the log that had no effect yet."""
    for number in range(3):
        post(symbol=f"S{number}")
    Lot.objects.all().delete()
    WebhookLog.objects.all().delete()
    Entry.objects.update(status="pending", webhook_log_id=None, settled_at=None)
    return list(Entry.objects.order_by("id"))


def symbols() -> list[str]:
    return sorted(Lot.objects.values_list("symbol", flat=True))


def test_applies_everything_and_says_how_much(left_over: list[Entry]) -> None:
    assert run() == "3 alerts settled.\n"
    assert symbols() == ["S0", "S1", "S2"]
    assert run() == "0 alerts settled.\n"


def test_what_stays_in_the_log_is_not_called_settled(post: Poster) -> None:
    StrategyFactory(name="Beta", enabled=False)
    post(symbol="HELD")
    with refusing("INSERT", "trades"):
        assert post(symbol="HELD", **EXIT)["status"] == "queued"
        log(alert(symbol="OTHER"), received_at=ago(seconds=1))
        log(alert(strategy="Beta"), received_at=ago(seconds=1))
        status, told = ended("replay_wal")
    assert status == 1
    assert told.endswith(
        "\n2 alerts settled, 1 of them failed; 1 stays in the log, to be tried again.\n"
    )


def test_what_was_not_tried_stays_in_the_log_as_well(databases: None) -> None:
    """Of a long log with the database away, only the first entries are tried."""
    EntryFactory.create_batch(300)
    replay = in_process("replay_wal", DATABASE_URL=NOWHERE)
    assert replay.returncode == 1
    *tried, told = replay.stdout.splitlines()
    assert 0 < len(tried) < 300
    assert told == "0 alerts settled; 300 stay in the log, to be tried again."


@pytest.mark.parametrize("is_terminal", [True, False], ids=["a bar", "a line an alert"])
def test_how_far_it_is_is_told(left_over: list[Entry], is_terminal: bool) -> None:
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (24, 80))
    with subprocess.Popen(
        [sys.executable, "manage.py", "replay_wal"],
        cwd=ROOT,
        env={**os.environ, **databases_of_this_run(), "LOG_LEVEL": "INFO"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=its if is_terminal else subprocess.PIPE,
    ) as replaying:
        os.close(its)
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            told = b"".join(read_to_end(terminal if is_terminal else replaying.stderr))
    assert replaying.returncode == 0, told.decode()
    assert (b"3/3" in told) is is_terminal
    assert told.count(b"Alert processed") == (0 if is_terminal else 3)


def read_to_end(told: Any) -> Iterator[bytes]:
    # The end of a terminal that nobody holds any more is an error on Linux.
    with suppress(OSError):
        while chunk := told.read(4096):
            yield chunk


def test_dry_run_shows_and_changes_nothing(left_over: list[Entry]) -> None:
    shown = run("--dry-run")
    assert [f"entry {entry.pk}: pending" in shown for entry in left_over] == [True] * 3
    assert "3 entries would be replayed." in shown
    assert not WebhookLog.objects.exists()
    assert set(Entry.objects.values_list("status", flat=True)) == {"pending"}


def test_dry_run_tells_of_parked_exits(post: Poster) -> None:
    post(action="exit")
    shown = run("--dry-run")
    assert "0 entries would be replayed." in shown and "1 exit waits for its entry" in shown


@pytest.mark.parametrize(
    "choice",
    [Choice(), Choice(limit=1), Choice(limit=9), Choice(failed=True)],
    ids=str,
)
def test_the_bar_knows_how_many_there_are(left_over: list[Entry], choice: Choice) -> None:
    Entry.objects.filter(pk=left_over[0].pk).update(status="failed", settled_at=timezone.now())
    assert how_many(choice) == len(list(chosen(choice)))


def test_one_entry(left_over: list[Entry]) -> None:
    run("--id", str(left_over[1].pk))
    assert symbols() == ["S1"]


def test_several_entries(left_over: list[Entry]) -> None:
    third, _, first = [str(entry.pk) for entry in reversed(left_over)]
    assert run("--id", third, "--id", first) == "2 alerts settled.\n"
    assert symbols() == ["S0", "S2"]


def test_none_of_several_entries_is_replayed_where_one_is_not_there(
    left_over: list[Entry],
) -> None:
    with pytest.raises(CommandError, match="no entry 98, 99"):
        run("--id", str(left_over[0].pk), "--id", "99", "--id", "98")
    assert symbols() == []


def test_limit(left_over: list[Entry]) -> None:
    run("--limit", "2")
    assert symbols() == ["S0", "S1"]


def test_since(left_over: list[Entry]) -> None:
    Entry.objects.filter(pk=left_over[0].pk).update(received_at=timezone.now().replace(year=2020))
    run("--since", "2021-01-01")
    assert symbols() == ["S1", "S2"]


def test_what_failed_is_tried_again_only_when_asked(post: Poster) -> None:
    StrategyFactory(name="Alpha", enabled=False)
    failed = post()
    Strategy.objects.update(enabled=True)
    assert run().startswith("0 alerts")
    run("--failed")
    log = WebhookLog.objects.get(pk=failed["webhook_log_id"])
    assert (log.status, log.error_code, log.action) == ("processed", "", "opened")
    assert Entry.objects.get().status == "completed"


def test_what_fails_again_is_said_and_exits_1(
    post: Poster, capsys: pytest.CaptureFixture[str]
) -> None:
    StrategyFactory(name="Alpha", enabled=False)
    post()
    with pytest.raises(SystemExit, match="1"):
        call_command("replay_wal", "--failed")
    assert "failed: STRATEGY_DISABLED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--id", "99"], "no entry 99"),
        (["--dry-run", "--follow"], "looks once"),
        (["--failed", "--follow"], "choose once"),
        (["--id", "1", "--follow"], "choose once"),
        (["--id", "1", "--since", "2026-01-05"], "names its entries"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    databases: None, arguments: list[str], words: str
) -> None:
    with pytest.raises(CommandError, match=words) as error:
        run(*arguments)
    assert error.value.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "soon"], "'soon' is no time such as 2026-01-31"),
        (["--since", "2026-02-30"], "'2026-02-30' is no time"),
        (["--limit", "0"], "'0' is no number of entries from 1 up"),
        (["--id", "x"], "'x' is no id of an entry from 1 up"),
        (["--id", str(2**63)], "is no id of an entry"),
        (["--id", "9" * 5000], "is no id of an entry"),
    ],
)
def test_bad_arguments(databases: None, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run(*arguments)


def test_the_largest_id_there_can_be(databases: None) -> None:
    with pytest.raises(CommandError, match=f"no entry {2**63 - 1}"):
        run("--id", str(2**63 - 1))
