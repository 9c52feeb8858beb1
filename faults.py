"""Everything that can be wrong with an alert, or with us while we take it.

The ground floor: it imports nothing, so that every app can raise what it finds
where it finds it, and a fault says itself how it is answered. To an alert
`webhooks.views` gives that answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar


class Status(StrEnum):
    """What became of an alert; the `status` of every answer."""

    #: Its effect is in the tables.
    PROCESSED = "processed"
    #: The same alert was here before; nothing happened twice.
    DUPLICATE = "duplicate"
    #: It is safe in the log and will be applied without being sent again.
    QUEUED = "queued"
    #: An exit that waits for its entry.
    PARKED = "parked"
    #: Refused: it was not understood, or its sender is not allowed.
    REJECTED = "rejected"
    #: Understood, and never applicable.
    FAILED = "failed"


class Fault(Exception):
    """Something is wrong with this alert."""

    code: ClassVar[str]
    http_status: ClassVar[int]
    #: What the answer calls the outcome.
    status: ClassVar[Status]
    #: Seconds for the `Retry-After` header; None leaves the header out.
    retry_after: int | None = None

    def __init__(self, message: str = "", *, fields: Mapping[str, str] | None = None) -> None:
        #: For people: the class's docstring unless there is more to say.
        self.message = message or (type(self).__doc__ or self.code).strip()
        #: What is wrong with each field, by its name in the Contract.
        self.fields: dict[str, str] = dict(fields or {})
        #: Where to find what there is of the alert: the ids of an answer.
        self.ids: dict[str, Any] = {}
        super().__init__(self.message)

    def told(self, correlation_id: object) -> dict[str, Any]:
        """The body of the answer (Contract, Answer)."""
        return {
            "correlation_id": str(correlation_id),
            "status": self.status,
            **self.ids,
            "error": {"code": self.code, "message": self.message, "fields": self.fields},
        }

    def headers(self) -> dict[str, str]:
        """What the answer says in headers."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


# Refused at the door: nothing of the alert is stored.


class NotUnderstood(Fault):
    """This is no request that the endpoint could answer."""

    code, http_status, status = "BAD_REQUEST", 400, Status.REJECTED


class NoSuchPath(Fault):
    """There is nothing here; alerts are posted to /webhook/ or /webhook/<token>/."""

    code, http_status, status = "NOT_FOUND", 404, Status.REJECTED


class MethodNotAllowed(Fault):
    """Alerts are sent by POST."""

    code, http_status, status = "METHOD_NOT_ALLOWED", 405, Status.REJECTED

    def headers(self) -> dict[str, str]:
        return {"Allow": "POST"}


class InvalidToken(Fault):
    """No valid token came with this request."""

    code, http_status, status = "INVALID_TOKEN", 401, Status.REJECTED


class AddressNotAllowed(Fault):
    """This address is not in WEBHOOK_ALLOWED_IPS."""

    code, http_status, status = "ADDRESS_NOT_ALLOWED", 403, Status.REJECTED


class PayloadTooLarge(Fault):
    """An alert is at most 64 KiB."""

    code, http_status, status = "PAYLOAD_TOO_LARGE", 413, Status.REJECTED


class RateLimited(Fault):
    """Too many requests without a valid token from this address."""

    code, http_status, status = "RATE_LIMITED", 429, Status.REJECTED


class TradesRateLimited(Fault):
    """Too many alerts at once; send this one again in five seconds."""

    # 503 and not 429: TradingView sends an alert again on a 5xx only, so this
    # delays the trade where a 429 would lose it.
    code, http_status, status = "RATE_LIMITED", 503, Status.REJECTED
    retry_after = 5


class LogUnavailable(Fault):
    """The alert could not be written to the write-ahead log; nothing was accepted."""

    code, http_status, status = "WAL_UNAVAILABLE", 503, Status.REJECTED
    retry_after = 5


# Refused after the append: kept in the log and in webhook_logs, never applied.


class InvalidJSON(Fault):
    """The body is not a JSON object."""

    code, http_status, status = "INVALID_JSON", 400, Status.REJECTED


class InvalidPayload(Fault):
    """The alert is JSON, but these fields cannot be read as an order."""

    code, http_status, status = "INVALID_PAYLOAD", 400, Status.REJECTED


class StrategyNotAllowed(Fault):
    """This token is bound to other strategies."""

    code, http_status, status = "STRATEGY_NOT_ALLOWED", 403, Status.REJECTED


class StrategyDisabled(Fault):
    """This strategy is switched off in the admin."""

    code, http_status, status = "STRATEGY_DISABLED", 422, Status.FAILED


class NoOpenPosition(Fault):
    """There is no open position that this exit could close."""

    code, http_status, status = "NO_OPEN_POSITION", 422, Status.FAILED


# Ours: the alert is in the log and will be applied without being sent again.


class Queued(Fault):
    """Older alerts of this book come first; this one follows them."""

    code, http_status, status = "DATABASE_UNAVAILABLE", 202, Status.QUEUED


class DatabaseUnavailable(Queued):
    """The database is out of reach; the alert waits in the log."""


class ProcessingError(Queued):
    """A fault of ours; the alert stays in the log and is replayed."""

    code = "PROCESSING_ERROR"


#: As PostgreSQL names them: undefined_table, undefined_column.
_MISSING = frozenset({"42P01", "42703"})


def lacks_tables(error: BaseException) -> bool:
    """Whether a database says so: it was never migrated, or left behind by an update."""
    is_named = getattr(error.__cause__, "sqlstate", None) in _MISSING
    return is_named or str(error).startswith(("no such table", "no such column"))
