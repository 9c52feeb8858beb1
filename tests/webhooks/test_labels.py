"""What an order brings along and moves nothing: it refuses no order, and mixes up no two."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.alerts import Poster, alert
from trades.models import Trade
from webhooks.payload import parse
from webhooks.signal import Signal

#: Too long for any column, cleaned of nothing, and no text at all.
ODD = ["ж" * 5000, "a\x00b", "a\ud800b", True, ["x"], {"code": "x"}]


def read(**fields: Any) -> Signal:
    return parse(json.dumps(alert(**fields)).encode())


@pytest.mark.parametrize("field", ["order_id", "currency", "interval"])
def test_no_order_is_refused_for_one(post: Poster, field: str) -> None:
    for minute, odd in enumerate(ODD):
        told: dict[str, Any] = {field: odd, "time": f"2026-01-05T14:{minute:02}:00Z"}
        answer = post(**told)
        assert answer["status"] == "processed", odd


@pytest.mark.parametrize("field", ["order_id", "interval"])
def test_orders_that_differ_at_its_end_are_two(post: Poster, field: str) -> None:
    pairs: list[tuple[Any, Any]] = [
        ("x" * 200 + "1", "x" * 200 + "2"),
        ({"n": 1}, {"n": 2}),
        ([1], [2]),
    ]
    for one, other in pairs:
        answers = [post(**{field: each})["status"] for each in (one, other, one)]
        assert answers == ["processed", "processed", "duplicate"]


@pytest.mark.parametrize("field", ["order_id", "interval"])
def test_it_is_read_whole(field: str) -> None:
    def told(value: object) -> object:
        return getattr(read(**{field: value}), field)

    assert told(" " + "ж" * 5000 + "1\n") == "ж" * 5000 + "1"
    assert told("a\x00b\ud800c") == "a\ufffdb\ufffdc"
    assert (told(42), told(True), told(["x"])) == ("42", "true", '["x"]')
    assert told({"b": 1.5, "a": "ж"}) == told({"a": "ж", "b": 1.50}) == '{"a": "ж", "b": "1.5"}'


def test_what_is_no_currency_is_not_told() -> None:
    assert read(currency=" " + "ж" * 20).currency == "ж" * 20
    for none in ("ж" * 21, *ODD):
        assert read(currency=none).currency == ""


def test_no_two_currencies_become_one(post: Poster) -> None:
    """Both begin as a third one does, whose trades are summed up."""
    real = "U" * 20
    for minute, currency in enumerate((real, real + "1", real + "2")):
        post(time=f"2026-01-05T14:{minute:02}:00Z", currency=currency)
        post(
            action="exit", quantity=None, price="110",
            time=f"2026-01-05T14:{minute:02}:30Z", currency=currency,
        )  # fmt: skip
    assert list(Trade.objects.order_by("id").values_list("currency", flat=True)) == [real, "", ""]
