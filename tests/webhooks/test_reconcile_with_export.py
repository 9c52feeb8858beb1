"""`reconcile_positions --tradingview FILE`, as a user and a script see it."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from positions.models import Lot
from tests.alerts import Poster
from tests.commands import in_process, run
from tests.trades.demo_list import demo_list
from tests.trades.export_files import Form, Listed, as_csv, as_xlsx, rows
from tests.webhooks.exported_trades import FIRST, SECOND, listed, post_entry, post_trade
from tradelog.session import ALERTS
from trades.models import ImportBatch, Trade

command = partial(run, "reconcile_positions")

BOOK = ("--strategy", "Alpha", "--symbol", "BINANCE:BTCUSDT", "--timezone", "UTC")


def told(*options: str) -> tuple[int, dict[str, Any]]:
    status, text = command(*options, "--format", "json")
    return status, json.loads(text)


@pytest.fixture
def folder(tmp_path: Path, post: Poster) -> Path:
    """The first trade is here; files of one trade and of two."""
    post_trade(post, FIRST)
    (tmp_path / "one.csv").write_bytes(as_csv(rows([FIRST], Form())))
    (tmp_path / "two.csv").write_bytes(as_csv(rows([FIRST, SECOND], Form())))
    return tmp_path


def test_they_agree(folder: Path) -> None:
    status, text = command("--tradingview", str(folder / "one.csv"))
    assert status == 0
    assert "one.csv: 1 trade of Alpha on BINANCE:BTCUSDT (found by its trades" in text
    assert "found by best fit: 1 of 1 entries are as here in it" in text
    assert "1 matched, 0 differ, 0 missing here, 0 missing there." in text
    assert "P&L of those matched: 10 as TradingView tells it, 10 here." in text


def test_a_table_of_what_is_missing_and_why(folder: Path, post: Poster) -> None:
    rejected = post_entry(post, quantity="none")["webhook_log_id"]
    post_trade(post, listed(9, "12:00", "12:30"))
    status, text = command("--tradingview", str(folder / "two.csv"), *BOOK)
    assert status == 1
    here, there = text.split("Missing there: TradingView does not list them:")
    plain = " ".join(here.split())
    for part in ("Missing here:", "long", "2026-01-05 14:30", "123.5", "INVALID_PAYLOAD"):
        assert part in plain
    assert f"alert {rejected}" in plain
    assert f"trade {Trade.objects.latest('id').pk}" in there
    assert "1 matched, 0 differ, 1 missing here, 1 missing there." in there
    assert max(map(len, text.splitlines())) < 260


def test_a_table_of_what_differs(folder: Path, post: Poster) -> None:
    post_trade(post, SECOND, price="123.75", quantity="2")
    status, text = command("--tradingview", str(folder / "two.csv"), *BOOK)
    assert status == 1
    lines = [line for line in text.splitlines() if "entry price" in line or "quantity  " in line]
    assert lines[0].split()[-3:] == ["123.5", "123.75", "0.25"]
    assert lines[1].split()[-3:] == ["1", "2", "1"]
    wide = ("--price-tolerance", "15", "--quantity-tolerance", "50%")
    assert command("--tradingview", str(folder / "two.csv"), *BOOK, *wide)[0] == 0


def test_json(folder: Path, post: Poster) -> None:
    rejected = post_entry(post, quantity="none")["webhook_log_id"]
    status, found = told("--tradingview", str(folder / "two.csv"), *BOOK)
    assert status == 1
    assert (found["strategy"], found["symbol"], found["book_found_by_fit"]) == (
        "Alpha",
        "BINANCE:BTCUSDT",
        False,
    )
    assert found["time_zone"]["name"] == "UTC"
    assert found["file"]["name"] == "two.csv" and len(found["file"]["sha256"]) == 64
    (missing,) = found["missing_here"]
    assert missing["trades"] == [2]
    assert missing["entry_time"] == "2026-01-05T14:30:00+00:00"
    assert missing["entry_price"] == "123.5"
    assert missing["cause"] == {
        "kind": "failed",
        "order": "entry",
        "code": "INVALID_PAYLOAD",
        "sentence": missing["cause"]["sentence"],
        "alerts": [rejected],
        "entries": [],
        "refusals": [],
    }
    assert (missing["importable"], missing["left_out"], missing["entered_here"]) == (True, "", [])
    (pair,) = found["matched"]
    assert pair["tradingview"]["trades"] == [1]
    assert pair["here"]["trades"] == [Trade.objects.get().pk]
    assert (found["missing_there"], found["differing"], found["clean"]) == ([], [], False)
    assert found["import"] is None


def test_differences_in_json(folder: Path, post: Poster) -> None:
    late = listed(2, "14:35", "15:00", entry_price=SECOND.entry_price)
    post_trade(post, late)
    _, found = told("--tradingview", str(folder / "two.csv"), *BOOK)
    (differing,) = found["differing"]
    assert differing["differences"] == {
        "entry_time": {
            "tradingview": "2026-01-05T14:30:00+00:00",
            "here": "2026-01-05T14:35:00+00:00",
            "by": 300.0,
        }
    }
    assert told("--tradingview", str(folder / "two.csv"), *BOOK, "--time-tolerance", "5m")[0] == 0


def test_import_and_undo(folder: Path) -> None:
    status, text = command("--tradingview", str(folder / "two.csv"), *BOOK, "--import")
    batch = ImportBatch.objects.get()
    # What was missing is in.
    assert status == 0
    assert f"Imported 1 trade as import {batch.pk}; `reconcile_positions --undo-import" in text
    assert (batch.imported_by, Trade.objects.count()) == (None, 2)
    status, text = command("--tradingview", str(folder / "two.csv"), *BOOK, "--import")
    assert status == 0 and text.endswith("Nothing to import.\n")
    assert command("--tradingview", str(folder / "two.csv"))[0] == 0
    status, text = command("--undo-import", str(batch.pk))
    assert (status, text) == (0, f"Import {batch.pk} is undone: 1 trade taken out.\n")
    assert Trade.objects.count() == 1
    with pytest.raises(CommandError, match="was undone") as twice:
        command("--undo-import", str(batch.pk))
    assert twice.value.returncode == 1
    with pytest.raises(CommandError, match="There is no import") as unknown:
        command("--undo-import", "999999")
    assert unknown.value.returncode == 2


def test_import_leaves_what_it_cannot_mend(folder: Path, post: Poster) -> None:
    post_trade(post, listed(9, "12:00", "12:30"))
    status, found = told("--tradingview", str(folder / "two.csv"), *BOOK, "--import")
    assert (status, found["import"]) == (1, ImportBatch.objects.get().pk)


def test_import_leaves_what_was_entered_here(folder: Path, post: Poster) -> None:
    post_entry(post, SECOND, quantity="2")
    parts = [SECOND, replace(SECOND, number=3, exit_price=Decimal(111))]
    (folder / "parts.csv").write_bytes(as_csv(rows([FIRST, *parts], Form())))
    status, text = command("--tradingview", str(folder / "parts.csv"), *BOOK, "--import")
    lot = Lot.objects.latest("id").pk
    assert status == 1
    assert "Not to be imported: what" in text and f"  lot {lot}\n" in text
    assert text.endswith("Nothing to import.\n1 trade not imported: entered here already.\n")
    status, found = told("--tradingview", str(folder / "parts.csv"), *BOOK)
    (missing,) = found["missing_here"]
    assert (missing["importable"], missing["left_out"]) == (False, "entered here already")
    assert [group["lots"] for group in missing["entered_here"]] == [[lot]]


def test_the_demo(tmp_path: Path, post: Poster) -> None:
    for line in ALERTS.read_text().splitlines():
        post(line)
    file = tmp_path / "demo.xlsx"
    file.write_bytes(as_xlsx(rows(demo_list(), Form(number=float, time=lambda time: time))))
    status, found = told("--tradingview", str(file))
    assert (status, found["clean"], len(found["matched"])) == (0, True, 21)
    assert (found["strategy"], found["book_found_by_fit"]) == ("Monthly pyramid", True)


def test_a_zone_that_is_not_sure_is_said(folder: Path) -> None:
    other = Listed(**{**vars(SECOND), "number": 1})
    (folder / "other.csv").write_bytes(as_csv(rows([other], Form())))
    status, text = command("--tradingview", str(folder / "other.csv"), *BOOK[:4])
    assert status == 1
    assert "Time zone of the chart: not known, since no trade fits in any; taken for UTC." in text
    with pytest.raises(CommandError, match="name it") as unsure:
        command("--tradingview", str(folder / "other.csv"), *BOOK[:4], "--import")
    assert unsure.value.returncode == 2
    assert not ImportBatch.objects.exists()
    status, text = command(
        "--tradingview", str(folder / "one.csv"), *BOOK[:4], "--timezone", "Asia/Tokyo"
    )
    assert "but 1 of 1 trades were entered as here if it is UTC, and 0 if it is Asia/Tokyo" in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--symbol", "X"), "--symbol goes with --tradingview FILE"),
        (("--import",), "--import goes with --tradingview FILE"),
        (("--time-tolerance", "5m"), "--time-tolerance goes with --tradingview FILE"),
        (("--tradingview", "x", "--fix"), "--fix and --tradingview do not go together"),
        (("--tradingview", "x", "--undo-import", "1"), "do not go together"),
        (("--tradingview", "/nowhere/list.csv"), "/nowhere/list.csv: No such file"),
        (("--tradingview", "/"), "/: Is a directory"),
    ],
)
def test_usage(post: Poster, options: tuple[str, ...], text: str) -> None:
    with pytest.raises(CommandError, match=text) as usage:
        command(*options)
    assert usage.value.returncode == 2


def test_a_file_that_cannot_be_read(folder: Path) -> None:
    table = rows([FIRST], Form())
    table[1][4] = "free"
    (folder / "bad.csv").write_bytes(as_csv(table))
    with pytest.raises(CommandError) as unreadable:
        command("--tradingview", str(folder / "bad.csv"))
    assert unreadable.value.returncode == 2
    assert str(unreadable.value) == "Row 2, column “Price USDT”: “free” is no number"


def test_in_a_process(folder: Path) -> None:
    ended = in_process(
        "reconcile_positions", "--tradingview", str(folder / "two.csv"), *BOOK, "--format", "json"
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert json.loads(ended.stdout)["clean"] is False
    ended = in_process(
        "reconcile_positions",
        "--tradingview",
        str(folder / "two.csv"),
        "--price-tolerance",
        "a lot",
    )
    assert ended.returncode == 2
    assert "'a lot' is no tolerance; such as 0.05 or 0.1%" in ended.stderr
    ended = in_process("reconcile_positions", "--tradingview", str(folder / "none.csv"))
    assert ended.returncode == 2
    assert "none.csv: No such file or directory" in ended.stderr
    assert "Traceback" not in ended.stderr
