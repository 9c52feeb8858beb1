"""The databases as Django connects to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradelog import databases


@pytest.mark.parametrize("name", ["a#b", "a?b=c", "a%20b", "it's"])
def test_the_log_lies_in_the_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    told = databases.of_the_log("", threads=1, folder=tmp_path / name)
    assert Path(told["NAME"]).parent == tmp_path / name
