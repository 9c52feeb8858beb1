"""Who asks: a token of the API's, or the session of who is logged in."""

from __future__ import annotations

import logging
from typing import Any, Final

from django.contrib.auth.models import User
from rest_framework.authentication import TokenAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from addresses import client_address, counted_as
from tradelog.api import tokens
from tradelog.attempts import seconds_to_wait
from tradelog.models import ApiToken

logger = logging.getLogger(__name__)

#: Wrong tokens from one address; after that its tokens are not looked at for a while.
WRONG_TOKENS: Final = "20/5m"


class ApiTokenAuthentication(TokenAuthentication):
    """`Authorization: Token …`, compared by its hash; guessing is throttled by address."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        if not get_authorization_header(request):
            return None
        _throttle(request, increment=False)
        try:
            return super().authenticate(request)
        except AuthenticationFailed:
            _throttle(request, increment=True)
            raise

    def authenticate_credentials(self, key: str) -> tuple[User, ApiToken]:
        token = tokens.find(key)
        # The same whatever is wrong, so that a guess tells nothing.
        if token is None or not token.user.is_active:
            raise AuthenticationFailed("This token is not valid, or it has expired.")
        return token.user, token


def _throttle(request: Request, *, increment: bool) -> None:
    address = client_address(request._request)
    seconds = seconds_to_wait(
        request._request,
        group="wrong API tokens",
        key=counted_as(address),
        rate=WRONG_TOKENS,
        increment=increment,
    )
    if seconds:
        logger.warning("Too many wrong API tokens from %s", address or "an unknown address")
        raise Throttled(seconds, "Too many wrong tokens from this address.")
