from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.installation import Installation


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own, as the benchmarks make one."""
    folder: Path = tmp_path_factory.mktemp("bench")
    made = Installation(folder)
    yield made
    made.cluster.release()
