"""The API as tests ask it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.alerts import Answer
from tradelog.api import tokens
from tradelog.models import ApiToken


class Reader:
    """Asks the API with a token."""

    def __init__(self, token: str | None) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {} if token is None else {"Authorization": f"Token {token}"}

    def __call__(self, path: str, **parameters: Any) -> Answer:
        """The answer to `/api/{path}`, or to a whole address."""
        address = path if path.startswith("http") else f"/api/{path}"
        response = self.client.get(address, parameters or None, headers=self.headers)
        return Answer(response.status_code, response.json(), response.headers)

    def rows(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """All rows of a list, page after page."""
        answer = self(path, **parameters)
        assert answer.http == 200, answer
        rows = list(answer["results"])
        while answer["next"]:
            answer = self(answer["next"])
            assert answer.http == 200, answer
            rows += answer["results"]
        return rows

    def ids(self, path: str, **parameters: Any) -> list[int]:
        return [row["id"] for row in self.rows(path, **parameters)]


def token_of(user: User, **columns: Any) -> str:
    return tokens.issue(ApiToken(user=user, name="a test", **columns))


def staff_who_may(*permissions: str, name: str = "looker") -> User:
    user = User.objects.create_user(name, is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return user
