"""Settings that cannot be read: named in one sentence, and nothing runs on them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.installation import manage
from tradelog.environment import Environment


def environment(value: str) -> Environment:
    """One in which X is this."""

    class Of(Environment):
        ENVIRON = {"X": value}

    return Of()


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("On", True), ("1", True), ("False", False), (" no ", False), ("", True)],
)
def test_true_or_false(value: str, expected: bool) -> None:
    assert environment(value).bool("X", default=True) is expected


@pytest.mark.parametrize("value", ["true   # pages by https alone", "tru", "2", "-"])
def test_neither(value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as error:
        environment(value).bool("X", default=False)
    assert str(error.value) == f"X is {value!r}, which is neither true nor false."


def test_numbers() -> None:
    assert environment("12").int("X", default=1) == 12
    assert environment("").int("X", default=1) == 1
    assert environment("1e3").float("X", default=1) == 1000
    assert environment("0.010").get_value("X", Decimal, default=Decimal(1)) == Decimal("0.01")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, "abc"), (int, "1.5"), (int, "8000 # the port"),
        (float, "abc"), (float, "10 # for 5 seconds"), (float, "1,5"), (float, "nan"),
        (Decimal, "abc"), (Decimal, "NaN"), (Decimal, "Infinity"),
    ],
)  # fmt: skip
def test_no_numbers(kind: type, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^X is '.*', which is no (whole )?number\.$"):
        environment(value).get_value("X", kind, default=1)


def test_lists_without_the_spaces_around_their_entries() -> None:
    assert environment("a.example, b.example ,").list("X", default=[]) == ["a.example", "b.example"]
    assert environment(" ").list("X", default=["a.example"]) == ["a.example"]


def read(path: Path) -> dict[str, str]:
    """What an Environment takes from this file."""

    class Of(Environment):
        ENVIRON: ClassVar[dict[str, str]] = {"PORT": "1"}

    Of().read_file(path)
    return Of.ENVIRON


@pytest.mark.parametrize("begin", ["", "\N{BYTE ORDER MARK}"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_as_editors_leave_it(tmp_path: Path, begin: str, end: str) -> None:
    lines = [
        "SECRET_KEY=abc#def",
        "  # a comment",
        "",
        " BEHIND_TLS = true  ",
        "export HOST='::1'",
        'TRAIL_KEY="a \\" quote"',
        "PORT=2",
    ]
    (path := tmp_path / ".env").write_bytes((begin + end.join([*lines, ""])).encode())
    assert read(path) == {
        "SECRET_KEY": "abc#def",
        "BEHIND_TLS": "true",
        "HOST": "::1",
        "TRAIL_KEY": 'a " quote',
        "PORT": "1",
    }


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / ".env") == {"PORT": "1"}


def test_a_line_that_is_no_setting_is_named_and_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (path := tmp_path / ".env").write_text("PORT=2\nWEBHOOK_TOKENS: its-token\n")
    with pytest.raises(ImproperlyConfigured) as error:
        read(path)
    assert str(error.value).startswith(f"{path}, line 2, is no setting")
    assert "its-token" not in str(error.value) + caplog.text


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_a_file_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    (path := tmp_path / ".env").write_text("TRAIL_KEY=schlüssel\n", encoding=encoding)
    with pytest.raises(ImproperlyConfigured, match=r"is no text in UTF-8: save it as that\.$"):
        read(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"cannot be read: Is a directory\.$"):
        read(tmp_path)


def test_words_in_any_case() -> None:
    assert environment("debug").one_of("X", ("INFO", "DEBUG"), default="INFO") == "DEBUG"
    assert environment("").one_of("X", ("INFO", "DEBUG"), default="INFO") == "INFO"
    with pytest.raises(ImproperlyConfigured, match="X is 'foo', which is none of INFO, DEBUG"):
        environment("foo").one_of("X", ("INFO", "DEBUG"), default="INFO")


@pytest.mark.parametrize("value", ["foo", "foo://u:secret@h/x", "postgres://u:secret@h:x/y", "/a"])
def test_no_databases(value: str) -> None:
    for read in (environment(value).database, environment(value).cache):
        with pytest.raises(ImproperlyConfigured, match=r"^X is no URL of a ") as error:
            read("X")
        assert "secret" not in str(error.value)


@pytest.mark.parametrize("value", ["postgres://", "postgres://u:secret@h", "sqlite://"])
def test_no_database_without_a_name(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^X is no URL of a database"):
        environment(value).database("X")


@pytest.mark.parametrize("value", ["redis://h:x/0", "memcache://h:1", "locmemcache://", "redis://"])
def test_counters_elsewhere(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^X is no URL of a Redis or Valkey"):
        environment(value).cache("X")


@pytest.mark.parametrize("value", ["valkey://u:p@h:1/0", "rediss://h/0", "redis://a:1,b:2/0"])
def test_counters_of_a_server(value: str) -> None:
    assert environment(value).cache("X")["BACKEND"].endswith(".RedisCache")


@pytest.mark.parametrize(
    "setting",
    [
        {"TRADELOG_DATA": "/dev/null"},
        {"BEHIND_TLS": "true # pages by https alone"},
        {"LOG_LEVEL": "foo"},
        {"PORT": "abc"},
        {"PNL_TOLERANCE": "abc"},
        {"WAL_DATABASE_URL": "foo"},
        {"CACHE_URL": "foo"},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_a_command_ends_with_a_line_that_names_it(tmp_path: Path, setting: Any) -> None:
    ended = manage("check", **{"TRADELOG_DATA": str(tmp_path), **setting})
    assert ended.returncode == 1
    (told,) = ended.stderr.splitlines()
    assert told.startswith(f"{next(iter(setting))} is ")


def test_so_does_the_server(tmp_path: Path) -> None:
    ended = manage("serve", TRADELOG_DATA=str(tmp_path), PORT="abc")
    assert (ended.returncode, ended.stderr) == (1, "PORT is 'abc', which is no whole number.\n")


def test_no_server_has_no_threads(tmp_path: Path) -> None:
    ended = manage("serve", TRADELOG_DATA=str(tmp_path), THREADS="0")
    assert ended.returncode == 1
    assert "THREADS is 0, which is not from 1 to 10,000." in ended.stderr
    assert not (tmp_path / "postgres").exists()


def test_levels_may_be_written_small(tmp_path: Path) -> None:
    assert manage("check", TRADELOG_DATA=str(tmp_path), LOG_LEVEL="debug").returncode == 0
