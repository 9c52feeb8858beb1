"""Sending an alert as a test, by the way every alert takes."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from faults import Fault
from webhooks.credentials import Token, cut_tokens
from webhooks.decoding import decode
from webhooks.frontdoor import Delivery
from webhooks.payload import parse
from webhooks.pipeline import receive


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint would have answered."""

    http_status: int
    body: dict[str, Any]


def as_test(message: bytes) -> bytes:
    """The message as a test that is no other alert's duplicate, nor any other alert its own.

    Raises InvalidJSON or InvalidPayload where it cannot be read: it could not be told from
    an alert that failed.
    """
    own = {"is_test": True, "idempotency_key": f"test-{uuid.uuid4()}"}
    # Numbers become strings, which are read the same; as floats they would not be.
    test = json.dumps({**decode(message), **own}, default=str, ensure_ascii=False)
    encoded = test.encode("utf-8", "surrogatepass")
    # By whichever name the message said it too: this one goes before.
    assert parse(encoded).is_test
    return encoded


def send_as_test(
    message: bytes, *, token: Token, address: str, correlation_id: uuid.UUID
) -> Answer:
    """Append the test to the log and settle it, as if it had come from outside with the token.

    Rate and address are not asked about: those are the sender's, and this is sent from
    here. Raises what `as_test` raises.
    """
    delivery = Delivery(cut_tokens(as_test(message)), token, address, given_key="")
    try:
        outcome = receive(delivery, correlation_id=correlation_id, received_at=timezone.now())
        return Answer(200, outcome.told(correlation_id))
    except Fault as fault:
        return Answer(fault.http_status, fault.told(correlation_id))
