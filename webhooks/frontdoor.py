"""What happens before an alert is accepted: address, rate, size, token.

Nothing here needs the main database, and nothing here stores anything but that an
alert was refused by rate.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage

import metering
from addresses import client_address, counted_as, is_in
from faults import (
    AddressNotAllowed,
    InvalidToken,
    PayloadTooLarge,
    RateLimited,
    TradesRateLimited,
)
from wal import refusals
from webhooks.credentials import Token, cut_tokens, identify, tokens_in
from webhooks.observation import tell_book
from webhooks.payload import subject_of
from webhooks.signal import book_parts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert that came through the door."""

    #: Without tokens.
    body: bytes
    token: Token
    #: An IP address, or "" where the server tells none.
    address: str
    #: The header `Idempotency-Key`; "" if none came.
    given_key: str
    #: Whether it came by mail (webhooks.mail) and not by a request.
    via_mail: bool = False


def admit(request: HttpRequest, url_token: str | None) -> Delivery:
    """Let an alert in, or raise why not; the faults are those of steps 1 and 2 of the design."""
    address = client_address(request)
    _check_address(address)
    token = identify(_tokens_outside_body(request, url_token))
    try:
        # At most 128 KiB of a stranger's to read: the token may be in there, and of an
        # alert that is refused by rate it tells whose it was.
        body = read_body(request)
    except PayloadTooLarge:
        _check_rate(request, address, token, b"")
        raise
    token = token or identify(tokens_in(body))
    _check_rate(request, address, token, body)
    if token is None:
        raise InvalidToken
    given_key = cut_tokens(request.META.get("HTTP_IDEMPOTENCY_KEY", "").encode()).decode().strip()
    return Delivery(cut_tokens(body), token, address, given_key)


def read_body(request: HttpRequest) -> bytes:
    """The request's body, of which at most twice the limit is read.

    Raises PayloadTooLarge where it is over the limit, and before anything is read
    where its length is told and over twice the limit.
    """
    limit = settings.WEBHOOK_MAX_BYTES
    # Read on past the limit: whoever is still writing when the answer comes may lose it
    # (a proxy then answers 502), and would send what can never be taken again.
    furthest = 2 * limit
    told = request.META.get("CONTENT_LENGTH") or ""
    if told.isdecimal() and int(told) > furthest:
        raise PayloadTooLarge
    # Django takes a body without a told length for empty; the server knows better.
    is_chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    stream = request.META["wsgi.input"] if is_chunked else request
    body = b""
    while len(body) < furthest and (chunk := stream.read(furthest - len(body))):
        body += chunk
    if len(body) > limit:
        raise PayloadTooLarge
    return body


def _check_address(address: str) -> None:
    allowed = settings.WEBHOOK_ALLOWED_IPS
    if any(map(str.strip, allowed)) and not is_in(address, allowed):
        raise AddressNotAllowed


def _check_rate(request: HttpRequest, address: str, token: Token | None, body: bytes) -> None:
    """Count a request against its address's share; raises RateLimited or TradesRateLimited.

    Requests with a valid token and those without are counted apart: all of
    TradingView's users come from the same four addresses, and a stranger among
    them must not use up the trader's share.
    """
    try:
        usage = get_usage(
            request,
            group="alerts" if token else "strangers",
            key=lambda group, request: counted_as(address),
            rate=settings.WEBHOOK_TOKEN_RATE if token else settings.WEBHOOK_RATE,
            increment=True,
        )
    except Exception:
        # Losing count is better than losing trades.
        logger.exception("Requests could not be counted; this one is let through")
        return
    if usage is None or not usage["should_limit"]:
        return
    if token:
        _note_refusal(address, token, body)
        raise TradesRateLimited
    fault = RateLimited()
    fault.retry_after = max(1, usage["time_left"])
    raise fault


def _note_refusal(address: str, token: Token, body: bytes) -> None:
    """Say whose alert was refused: TradingView sends it three times more, and then never."""
    metering.rate_limited.inc()
    book = subject_of(cut_tokens(body)).book
    tell_book(book)
    strategy, symbol = book_parts(book)
    logger.warning(
        "Refused by rate: an alert of the strategy %r on %r, token %r, from %s",
        strategy,
        symbol,
        token.name,
        address or "an unknown address",
    )
    refusals.record(book=book, token_name=token.name, address=address)


def _tokens_outside_body(request: HttpRequest, url_token: str | None) -> list[str]:
    # META, here and above: for `headers` all there are would be named anew.
    scheme, _, bearer = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    candidates = [bearer.strip()] if scheme.lower() == "bearer" else []
    return [*candidates, url_token] if url_token else candidates
