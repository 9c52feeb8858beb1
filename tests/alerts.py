"""Alerts as tests send them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import Client
from django.test.client import ClientHandler

from tests.environment import TOKEN
from tradelog.alert_way import respond
from tradelog.routes import is_about_alerts

SAMPLES = Path(__file__).parent / "samples"


def alert(**fields: Any) -> dict[str, Any]:
    """A plain order on one book; None leaves a field out."""
    message = {
        "strategy": "Alpha",
        "symbol": "BINANCE:BTCUSDT",
        "action": "buy",
        "quantity": "1",
        "price": "100",
        "time": "2026-01-05T14:30:00Z",
        **fields,
    }
    return {name: value for name, value in message.items() if value is not None}


class Answer:
    """An HTTP answer: its status and its JSON."""

    def __init__(self, http: int, body: dict[str, Any], headers: Any) -> None:
        self.http = http
        self.body = body
        self.headers = headers

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    @property
    def code(self) -> str | None:
        """The error's code, None if there is none."""
        error = self.body.get("error")
        return error and error["code"]

    def __repr__(self) -> str:
        return f"{self.http} {self.body}"


class AlertClient(Client):
    """Django's test client, its alerts going the way a server has them go."""

    def __init__(self) -> None:
        super().__init__()
        self.handler = _AsServed()


class _AsServed(ClientHandler):
    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        if is_about_alerts(request.path_info):
            return respond(request)
        return super().get_response(request)


class Poster:
    """Posts alerts to the endpoint, in this process."""

    def __init__(self) -> None:
        self.client = AlertClient()

    def __call__(
        self,
        body: bytes | str | None = None,
        *,
        path: str = f"/webhook/{TOKEN}/",
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> Answer:
        if body is None:
            body = json.dumps(alert(**fields))
        response = self.client.post(path, body, content_type="text/plain", headers=headers or {})
        return Answer(response.status_code, response.json(), response.headers)
