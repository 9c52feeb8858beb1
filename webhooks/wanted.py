"""An entry that wants its effect, and what its message and its token tell of that."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from faults import Fault, InvalidJSON, InvalidPayload, StrategyNotAllowed
from wal.models import Entry
from webhooks.credentials import may_speak_for
from webhooks.identity import identity, identity_is_lasting, identity_of_entry
from webhooks.models import WebhookLog
from webhooks.reading import Reading
from webhooks.signal import Signal, book_name

#: Noted in the envelope of an entry that was refused because its strategy was disabled, and is
#: applied once more.
WAS_DISABLED: Final = "was_disabled"
#: Noted in that of an entry that failed, was tried again and had its effect, and is applied once
#: more where that is not known.
WAS_RETRIED: Final = "was_retried"


@dataclass(frozen=True)
class Wanted:
    """An entry that wants its effect."""

    entry: Entry
    reading: Reading
    #: Try once more what failed before; somebody asks for it.
    retry_failed: bool = False
    #: An exit that has waited its time fails; only who knows that no entry is left that
    #: could still bring its entry may say so.
    give_up: bool = False

    @property
    def signal(self) -> Signal | None:
        return self.reading.signal

    def signal_for(self, log: WebhookLog) -> Signal | None:
        """Its signal, where that is of the book its row is in.

        Another version may have read it otherwise, and another book's effect is not that row's.
        """
        signal = self.signal
        own = book_name(log.strategy, log.symbol)
        return signal if signal is not None and signal.book == own else None

    @cached_property
    def is_allowed(self) -> bool:
        """Whether the token the entry came with may speak for its strategy."""
        # What the token was bound to when it came in, so that a replay decides alike.
        bound_to = self.entry.envelope.get("strategies") or ()
        return self.signal is None or may_speak_for(bound_to, self.signal.strategy)

    @property
    def tries_again(self) -> bool:
        """Whether it is tried once more where it failed before."""
        return self.retry_failed or WAS_RETRIED in self.entry.envelope

    @property
    def was_disabled(self) -> bool:
        """Whether it was refused for its strategy's sake before a backup was put back."""
        return WAS_DISABLED in self.entry.envelope and not self.retry_failed

    @property
    def refusal(self) -> Fault | None:
        """Why it can never be applied, as far as the message and its token tell; else None."""
        fault = self.reading.fault
        if isinstance(fault, InvalidJSON | InvalidPayload):
            # Another one for each who raises it: an answer's ids are put into it.
            return copy(fault)
        return None if self.is_allowed else StrategyNotAllowed()

    @cached_property
    def key(self) -> str:
        """The idempotency key that its row gets."""
        if self.signal is None or not self.is_allowed:
            return identity_of_entry(self.entry.correlation_id)
        key = identity(self.signal)
        lasting = identity_is_lasting(self.signal)
        return key if lasting else f"{key}@{self.entry.correlation_id}"
