"""A WSGI application for tests of the worker processes.

It answers with its process id. Asked for `/<name>`, it makes the file `<name>` in
the folder FOLDER first, and waits until the file is gone again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    environ["wsgi.input"].read()
    if name := environ["PATH_INFO"].strip("/"):
        file = Path(os.environ["FOLDER"]) / name
        file.touch()
        while file.exists():
            time.sleep(0.005)
    start_response("200 OK", [("Content-Type", "text/plain")])
    # Not a list: so Django answers, and what is no list is sent piece by piece.
    return iter([str(os.getpid()).encode()])
