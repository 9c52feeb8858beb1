"""Whatever is sent to a running server: an answer of the Contract's, and nothing left undone.

A few hundred requests here; `make hostile` sends ten thousand and prints what became of them.
"""

from __future__ import annotations

import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tabulate import tabulate

from positions.models import Lot
from tests.hostile.kinds import KINDS
from tests.hostile.sending import Heard, Hostile, Sender
from tests.leaks import leaks
from tests.server import Server
from trades.models import Trade
from wal.models import Entry
from webhooks.models import WebhookLog

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "300"))

#: What may be answered to an alert, by status (Contract, Answer).
CODES = {
    200: {"", "DUPLICATE"},
    202: {"NO_OPEN_POSITION"},
    400: {"INVALID_JSON", "INVALID_PAYLOAD", "BAD_REQUEST"},
    401: {"INVALID_TOKEN"},
    403: {"STRATEGY_NOT_ALLOWED"},
    404: {"NOT_FOUND"},
    405: {"METHOD_NOT_ALLOWED"},
    413: {"PAYLOAD_TOO_LARGE"},
    422: {"NO_OPEN_POSITION", "STRATEGY_DISABLED"},
}
#: Codes of requests that were not appended to the log.
AT_THE_DOOR = {
    "BAD_REQUEST", "INVALID_TOKEN", "NOT_FOUND", "METHOD_NOT_ALLOWED", "PAYLOAD_TOO_LARGE"
}  # fmt: skip


def is_servers_own(heard: Heard) -> bool:
    """Whether the HTTP server refused it, before the application saw it."""
    return heard.status in (0, 400, 408, 414, 431) and "x-correlation-id" not in heard.headers


def check(request: Hostile, heard: Heard) -> dict[str, object]:
    """The law for one answer; gives what it told, if it is of the Contract's shape."""
    assert heard.status < 500, (request, heard)
    assert b"Traceback" not in heard.body, (request, heard)
    if is_servers_own(heard):
        assert request.is_broken or heard.status in (400, 414), (request, heard)
        return {}
    assert heard.headers["x-correlation-id"]
    if request.is_broken or not request.is_for_alerts or request.method == b"HEAD":
        return {}
    told: dict[str, object] = json.loads(heard.body)
    assert told["correlation_id"] == heard.headers["x-correlation-id"]
    error = told.get("error", {"code": "", "message": "", "fields": {}})
    assert isinstance(error, dict) and error.keys() == {"code", "message", "fields"}
    assert error["code"] in CODES[heard.status], (request, heard)
    assert ("wal_id" in told) == (error["code"] not in AT_THE_DOOR), (request, heard)
    return told


def check_rows(answers: Iterable[dict[str, object]]) -> None:
    """Every alert that was let in has its entry, at its end, and its row; and no other."""
    let_in = {str(told["correlation_id"]): told for told in answers if "wal_id" in told}
    entries = {str(entry.correlation_id): entry for entry in Entry.objects.all()}
    rows = {str(log.correlation_id) for log in WebhookLog.objects.all()}
    assert let_in.keys() <= entries.keys()
    for correlation_id, entry in entries.items():
        assert entry.status in ("completed", "failed", "duplicate", "parked"), entry
        assert (correlation_id in rows) == (entry.status != "duplicate"), entry
    for correlation_id, told in let_in.items():
        assert entries[correlation_id].webhook_log_id == told["webhook_log_id"]
    assert WebhookLog.objects.count() == len(rows)


def check_pages(server: Server) -> None:
    """The admin shows all that has been left behind."""
    client = Client()
    client.force_login(User.objects.create_superuser("trader"))
    cookie = {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
    for model in (Entry, WebhookLog, Lot, Trade):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        paths = [reverse(f"{name}_changelist"), reverse(f"{name}_changelist") + "?q=x%00%ff&p=2"]
        rows = model._default_manager.order_by("?")[:20]
        paths += [reverse(f"{name}_change", args=[row.pk]) for row in rows]
        for path in paths:
            page = server.page(path, headers=cookie)
            assert page.status in (200, 302), (path, page)
    assert server.get("/health/ready").http == 200


def send_many(
    requests: st.SearchStrategy[Hostile], most: int, send: Callable[[Hostile], None]
) -> None:
    """Send up to `most` requests; of what fails, the least that fails is shown."""

    @hypothesis_settings(max_examples=most, database=None, suppress_health_check=list(HealthCheck))
    @given(requests)
    def attack(request: Hostile) -> None:
        send(request)

    attack()


@pytest.mark.timeout(120 + REQUESTS // 5)
def test_whatever_is_sent(databases: None) -> None:
    caches["default"].clear()
    secret = f"hostile-{secrets.token_hex(12)}"
    answers: list[dict[str, object]] = []
    table: dict[str, Counter[int]] = {kind: Counter() for kind in KINDS}
    shares = sum(share for share, _ in KINDS.values())
    with Server(WEBHOOK_TOKENS=f"hostile:{secret}", LOG_LEVEL="DEBUG", WORKERS="2") as server:
        start = len(server.output)
        sender = Sender(server.port, secret)
        for kind, (share, requests) in KINDS.items():

            def send(request: Hostile, counts: Counter[int] = table[kind]) -> None:
                heard = sender.send(request)
                counts[heard.status] += 1
                answers.append(check(request, heard))

            send_many(requests, max(5, REQUESTS * share // shares), send)
        sender.close()
        show(table)
        check_pages(server)
        server.stop()
        logged = server.output[start:]
    assert secret not in logged
    assert "Traceback" not in logged, logged[logged.index("Traceback") - 500 :][:5000]
    check_rows(answers)
    assert leaks(secret) == []


def show(table: dict[str, Counter[int]]) -> None:
    """Print what became of them; pytest shows it with -s, or where the test fails."""
    statuses = sorted({status for counts in table.values() for status in counts})
    heads = ["", "sent", *(str(status) if status else "closed" for status in statuses)]
    rows = [
        [kind, counts.total(), *(counts[status] or "" for status in statuses)]
        for kind, counts in table.items()
    ]
    sums = [sum(counts[status] for counts in table.values()) for status in statuses]
    print("\n" + tabulate([*rows, ["all", sum(sums), *sums]], heads, tablefmt="github"))
