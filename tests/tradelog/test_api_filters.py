"""What the API's lists can be narrowed down by, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.factories import LotFactory, StrategyFactory, TradeFactory, WebhookLogFactory
from tests.tradelog.api import Reader
from tradelog.api.filters import AlertFilters, LotFilters, StrategyFilters, TradeFilters
from trades.corrections import correct
from trades.models import ImportBatch

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_trades(api: Reader) -> None:
    beta = StrategyFactory(name="Beta & Sons")
    plain = TradeFactory(exit_time=NOON).pk
    on_beta = TradeFactory(strategy=beta, symbol="NASDAQ:AAPL", exit_time=NOON + HOUR).pk
    short = TradeFactory(direction="short", currency="EUR", exit_time=NOON + 2 * HOUR).pk
    differs = TradeFactory(pnl_discrepancy=D(2), exit_time=NOON + 3 * HOUR).pk
    # It differed as well, until somebody said what is right.
    corrected = TradeFactory(pnl_discrepancy=D(2), exit_time=NOON + 4 * HOUR)
    correct(corrected, user=User.objects.get(), reason="It was less.", quantity=D("0.5"))
    batch = ImportBatch.objects.create(
        file_name="list.csv", sha256="0" * 64, strategy=beta, symbol="A:A", time_zone="UTC", count=1
    )
    imported = TradeFactory(import_batch=batch, currency="", exit_time=NOON + 5 * HOUR).pk
    entry = WebhookLogFactory(status="processed", drift=True)
    leave = WebhookLogFactory(status="processed")
    drifting = TradeFactory(exit_time=NOON + 6 * HOUR)
    LotFactory(trade=drifting, status="closed", entry_webhook_log=entry, exit_webhook_log=leave)
    backward = TradeFactory(exit_time=NOON + 7 * HOUR, entry_time=NOON + 8 * HOUR).pk
    everything = [backward, drifting.pk, imported, corrected.pk, differs, short, on_beta, plain]

    def but(*ids: int) -> list[int]:
        return [number for number in everything if number not in ids]

    cases: dict[tuple[str, object], list[int]] = {
        ("strategy", "Beta & Sons"): [on_beta],
        ("strategy_id", beta.pk): [on_beta],
        ("symbol", "NASDAQ:AAPL"): [on_beta],
        ("direction", "short"): [short],
        ("direction", "long"): but(short),
        ("currency", "EUR"): [short],
        ("currency", "none"): [imported],
        ("discrepancy", "true"): [differs],
        ("discrepancy", "false"): but(differs),
        ("exit_before_entry", "true"): [backward],
        ("exit_before_entry", "false"): but(backward),
        ("corrected", "true"): [corrected.pk],
        ("corrected", "false"): but(corrected.pk),
        ("imported", "true"): [imported],
        ("imported", "false"): but(imported),
        ("drift", "true"): [drifting.pk],
        ("drift", "false"): but(drifting.pk),
        ("correlation_id", entry.correlation_id): [drifting.pk],
        ("correlation_id", leave.correlation_id): [drifting.pk],
        ("exit_time_from", "2026-03-04T14:00:00Z"): but(plain, on_beta),
        ("exit_time_before", "2026-03-04T14:00:00Z"): [on_beta, plain],
        ("exit_time_before", "2026-03-04T15:00:00+01:00"): [on_beta, plain],
        ("entry_time_from", "2026-03-04T13:00:00"): but(plain, on_beta),
        ("entry_time_before", "2026-03-04T12:00:00Z"): [plain],
        ("exit_time_from", "2026-03-05"): [],
    }
    assert api.ids("trades/") == everything
    for (name, value), expected in cases.items():
        assert api.ids("trades/", **{name: value}) == expected, (name, value)
        # Page by page the same.
        assert api.ids("trades/", **{name: value}, page_size=1) == expected, (name, value)
    assert {name for name, _ in cases} == set(TradeFilters.base_filters)
    assert api.ids("trades/", direction="long", drift="false", symbol="BINANCE:BTCUSDT") == but(
        short, drifting.pk, on_beta
    )


def test_lots(api: Reader) -> None:
    beta = StrategyFactory(name="Beta")
    alert, leave = (WebhookLogFactory(status="processed") for _ in range(2))
    opened = LotFactory(entry_webhook_log=alert, entry_time=NOON).pk
    closed = LotFactory(
        strategy=beta, symbol="A:A", direction="short", status="closed", trade=TradeFactory(),
        exit_webhook_log=leave, entry_time=NOON + HOUR,
    ).pk  # fmt: skip
    cases: dict[tuple[str, object], list[int]] = {
        ("status", "open"): [opened],
        ("status", "closed"): [closed],
        ("strategy", "Beta"): [closed],
        ("strategy_id", beta.pk): [closed],
        ("symbol", "A:A"): [closed],
        ("direction", "long"): [opened],
        ("correlation_id", alert.correlation_id): [opened],
        ("correlation_id", leave.correlation_id): [closed],
        ("entry_time_from", "2026-03-04T12:00:01Z"): [closed],
        ("entry_time_before", "2026-03-04T13:00:00Z"): [opened],
    }
    assert api.ids("positions/") == [closed, opened]
    for (name, value), expected in cases.items():
        assert api.ids("positions/", **{name: value}) == expected, (name, value)
    assert {name for name, _ in cases} == set(LotFilters.base_filters)


def test_alerts(api: Reader) -> None:
    beta = StrategyFactory(name="Beta")
    first = WebhookLogFactory(received_at=NOON, strategy="Nobody's", error_code="INVALID_JSON")
    second = WebhookLogFactory(
        status="processed", strategy="Beta", symbol="A:A", action="opened", direction="long",
        drift=True, received_at=NOON + HOUR,
    )  # fmt: skip
    third = WebhookLogFactory(
        status="failed", error_code="STRATEGY_DISABLED", is_test=True, received_at=NOON + 2 * HOUR
    )
    one, two, three = first.pk, second.pk, third.pk
    cases: dict[tuple[str, object], list[int]] = {
        ("status", "failed"): [three],
        ("error_code", "INVALID_JSON"): [one],
        ("strategy", "Nobody's"): [one],
        ("strategy_id", beta.pk): [two],
        ("symbol", "A:A"): [two],
        ("action", "opened"): [two],
        ("direction", "long"): [two],
        ("drift", "true"): [two],
        ("drift", "false"): [three, one],
        ("is_test", "true"): [three],
        ("is_test", "false"): [two, one],
        ("correlation_id", second.correlation_id): [two],
        ("correlation_id", "6f1f2b0c-0000-4000-8000-000000000000"): [],
        ("received_at_from", "2026-03-04T13:00:00Z"): [three, two],
        ("received_at_before", "2026-03-04T13:00:00Z"): [one],
    }
    assert api.ids("alerts/") == [three, two, one]
    for (name, value), expected in cases.items():
        assert api.ids("alerts/", **{name: value}) == expected, (name, value)
    assert {name for name, _ in cases} == set(AlertFilters.base_filters)


def test_strategies(api: Reader) -> None:
    alpha, beta = StrategyFactory(name="Alpha"), StrategyFactory(name="Beta", enabled=False)
    assert api.ids("strategies/", name="Alpha") == [alpha.pk]
    assert api.ids("strategies/", enabled="false") == [beta.pk]
    assert set(StrategyFilters.base_filters) == {"name", "enabled"}


BAD = [
    ("trades/", "strategy", "Nobody's", "There is no such strategy"),
    ("trades/", "strategy_id", "999", "There is no such strategy"),
    ("trades/", "strategy_id", "abc", "There is no such strategy"),
    ("trades/", "strategy_id", "9" * 40, "There is no such strategy"),
    ("alerts/", "strategy_id", "999", "There is no such strategy"),
    ("trades/", "direction", "up", "There is no “up” here; there are: long, short."),
    ("trades/", "drift", "maybe", "Say true or false"),
    ("trades/", "corrected", "True", "Say true or false"),
    ("trades/", "exit_time_from", "yesterday", "2026-01-31T14:30:00Z"),
    ("trades/", "exit_time_from", "0001-01-01T00:00:00+14:00", "from 1970 to 2200"),
    ("trades/", "exit_time_before", "9999-12-31T23:59:59-14:00", "from 1970 to 2200"),
    ("trades/", "correlation_id", "1234", "valid UUID"),
    ("trades/", "currency", "zz", "No trade is in a currency “zz”."),
    ("trades/", "currency", "100%s", "No trade is in a currency “100%s”."),
    ("trades/", "symbol", "", "Say a value"),
    ("trades/", "symbol", "a\0b", "Null characters"),
    ("trades/", "symbol", "A" * 101, "at most 100"),
    ("trades/", "status", "closed", "no such parameter"),
    ("trades/", "ordering", "pnl", "no such parameter"),
    ("trades/", "page_size", "0", "1 to 1000"),
    ("trades/", "page_size", "1001", "1 to 1000"),
    ("trades/", "page_size", "9" * 5000, "1 to 1000"),
    ("trades/", "page_size", "²", "1 to 1000"),
    ("trades/", "page_size", "0001000999", "1 to 1000"),
    ("trades/", "cursor", "abc", "no cursor"),
    ("trades/", "cursor", "cGt8fDIx!", "no cursor"),
    ("trades/1/", "symbol", "A:A", "no such parameter"),
    ("positions/", "status", "half", "there are: open, closed."),
    ("alerts/", "error_code", "DUPLICATE", "; there are: INVALID_JSON, INVALID_PAYLOAD, "),
    ("alerts/", "status", "100%s", "“100%s” here; there are: "),
    ("alerts/", "action", "bought", "; there are: opened, "),
    ("statistics/", "from", "yesterday", "2026-01-31"),
    ("statistics/", "strategy", "Nobody's", "There is no strategy"),
    ("statistics/", "symbol", "NO:SUCH", "No trade or position"),
    ("statistics/", "currency", "zz", "No trade is in a currency “zz”."),
    ("statistics/", "time_zone", "Mars/Base", "There is no time zone"),
    ("statistics/", "strategy_id", "999", "There is no such strategy"),
    ("statistics/", "alerts", "7", "no such parameter"),
]


@pytest.mark.parametrize(("path", "name", "value", "told"), BAD)
def test_what_cannot_be_read_is_named(
    api: Reader, path: str, name: str, value: str, told: str
) -> None:
    TradeFactory(id=1)
    answer = api(path, **{name: value})
    assert (answer.http, answer.code) == (400, "INVALID_PARAMETERS")
    assert answer["error"]["fields"].keys() == {name}
    assert told in answer["error"]["fields"][name]


def test_all_that_is_wrong_is_told_at_once(api: Reader) -> None:
    unread = api("trades/", direction="up", drift="maybe", exit_time_from="x")
    assert unread["error"]["fields"].keys() == {"direction", "drift", "exit_time_from"}
    unknown = api("trades/", x="1", y="2", symbol=["A:A", "B:B"])
    assert unknown["error"]["fields"].keys() == {"x", "y", "symbol"}
    assert unknown["error"]["fields"]["symbol"] == "Say this once."


@hypothesis_settings(max_examples=80)
@given(
    st.sampled_from(["trades/", "positions/", "alerts/", "strategies/", "statistics/"]),
    st.dictionaries(
        st.sampled_from(
            [*TradeFilters.base_filters, *AlertFilters.base_filters, "page_size", "cursor", "from",
             "to", "time_zone", "name"]
        ),
        st.one_of(
            st.text(max_size=12),
            st.datetimes(timezones=st.timezones()).map(str),
            st.integers().map(str),
            st.sampled_from(["Alpha", "true", "open", "USD", "cGt8fDIx", "cGt8fA=="]),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_no_address_breaks_it(api: Reader, path: str, parameters: dict[str, str]) -> None:
    encoded = urlencode(parameters, errors="surrogatepass")
    answer = api.client.get(f"/api/{path}?{encoded}", headers=api.headers)
    assert answer.status_code in (200, 400), (answer.status_code, answer.content)
