"""A process that takes an alert and is killed (SIGKILL) on reaching a given function.

`python -m tests.crashing webhooks.settler:apply '{"action": "buy", ...}'`
"""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from importlib import import_module
from typing import Any, NoReturn


def die(*args: Any, **kwargs: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("survived SIGKILL")


def main() -> None:
    import django

    django.setup()
    from django.utils import timezone

    from webhooks.credentials import configured_tokens
    from webhooks.frontdoor import Delivery
    from webhooks.pipeline import receive

    module, _, path = sys.argv[1].partition(":")
    owner: Any = import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    getattr(owner, name)  # A target that is gone must not make a test pass.
    setattr(owner, name, die)
    receive(
        Delivery(sys.argv[2].encode(), configured_tokens()[0], "127.0.0.1", ""),
        correlation_id=uuid.uuid4(),
        received_at=timezone.now(),
    )
    print(json.dumps("reached the end"))


if __name__ == "__main__":
    main()
