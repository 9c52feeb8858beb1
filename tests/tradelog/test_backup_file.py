"""What is damaged or put in later is noticed when a backup is read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from django.utils import timezone

from tradelog.backup_file import Backup, BrokenBackup, file_of, unpack, write
from tradelog.database_copies import Copied

TEXTS = {"wal": b"the log", "default": b"the main database"}


def ignore(number: int) -> None:
    pass


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Backup]:
    """A backup of two databases that are a few bytes each, and what it tells."""
    copied = Copied("sqlite", "3", "3", {"webhook_wal": 1}, ["wal.0001_initial"])
    backup = Backup(timezone.now().replace(microsecond=0), {}, dict.fromkeys(TEXTS, copied))
    for alias, text in TEXTS.items():
        file_of(alias, "sqlite", tmp_path).write_bytes(text)
    write(tmp_path / "small.zip", backup, tmp_path, ignore)
    return tmp_path / "small.zip", backup


def test_every_byte_counts(small: tuple[Path, Backup], tmp_path: Path) -> None:
    """Whichever byte is damaged: it is noticed, or what is unpacked is right all the same."""
    file, backup = small
    content = file.read_bytes()
    places = range(0, len(content), 3)
    noticed = 0
    for place in places:
        file.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        folder = tmp_path / f"at {place}"
        folder.mkdir()
        try:
            assert unpack(file, folder, ignore) == backup
        except BrokenBackup:
            noticed += 1
        else:
            for alias, text in TEXTS.items():
                assert file_of(alias, "sqlite", folder).read_bytes() == text
    assert noticed > len(places) / 2


def test_what_was_put_in_later_is_noticed(small: tuple[Path, Backup], tmp_path: Path) -> None:
    file, _ = small
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("manifest.json", archive.read("manifest.json"))
        other.writestr("log.sqlite3", archive.read("log.sqlite3"))
        other.writestr("main.sqlite3", b"another database")
    (tmp_path / "there").mkdir()
    with pytest.raises(BrokenBackup, match=r"main\.sqlite3 is not what was put in"):
        unpack(tmp_path / "other.zip", tmp_path / "there", ignore)


@pytest.mark.parametrize("content", [b"", b"no backup", b"PK\x05\x06" + bytes(18)])
def test_another_file_is_no_backup(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BrokenBackup):
        unpack(tmp_path / "file", tmp_path, ignore)
