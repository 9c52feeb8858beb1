from __future__ import annotations

import pytest

from tests.alerts import Poster
from tests.webhooks.exported_trades import FIRST, post_trade


@pytest.fixture
def first(post: Poster) -> Poster:
    """The first trade is here; the second one only in the export."""
    post_trade(post, FIRST)
    return post
