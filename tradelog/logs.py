"""Log lines: structured, with the ids of what they are about, and never with a token."""

from __future__ import annotations

import logging
import re
from typing import Any

import structlog
from structlog.dev import Column

from one_line import in_one_line
from webhooks.credentials import cut_tokens_from_text


class TokenlessFormatter(structlog.stdlib.ProcessorFormatter):
    """A formatter whose lines hold no token, not even in a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return cut_tokens_from_text(super().format(record))


def configuration(*, level: str, lines: str) -> dict[str, Any]:
    """Django's LOGGING: from `level` on, as `lines` "json" (one object a line) or "console".

    Whatever is bound (structlog.contextvars) while a line is written stands on it: the
    correlation id, the log entry's id, strategy and symbol. Times are UTC.
    """
    renderer: list[Any] = (
        [_STACK_TRACES, structlog.processors.JSONRenderer(default=str)]
        if lines == "json"
        else [_for_people()]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": TokenlessFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *renderer,
                ],
                "foreign_pre_chain": _ON_EVERY_LINE,
            }
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "line"},
            "nowhere": {"class": "logging.NullHandler"},
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Without the handler it has by itself, whose lines may hold a token.
            "django": {"handlers": []},
            # What is answered is told by django_structlog, with its ids.
            "django.request": {"level": "CRITICAL"},
            "psycopg.pool": {"level": "ERROR"},
            # At DEBUG it tells what was said to the server, the log-in included.
            "imapclient": {"level": "WARNING"},
            # They tell the addresses they send to, which hold passwords; what became of a
            # notice is told by watch.
            "apprise": {"level": "CRITICAL", "handlers": ["nowhere"], "propagate": False},
            "urllib3": {"level": "CRITICAL", "handlers": ["nowhere"], "propagate": False},
        },
    }


def _for_people() -> structlog.dev.ConsoleRenderer:
    """Lines as the library has them without colours, in a third of its time.

    Its own columns are made for styles, and write each piece of a line by itself.
    """
    renderer = structlog.dev.ConsoleRenderer(colors=False)
    renderer.columns = [
        Column("timestamp", lambda _, time: str(time)),
        Column("level", lambda _, level: f"[{level:<9}]"),
        # Anybody can have their words told: what is wrong with a request, say.
        Column("event", lambda _, event: in_one_line(str(event))),
        Column("logger", lambda _, name: f"[{name}]"),
        Column("", lambda key, value: f"{key}={_told(value)}"),
    ]
    return renderer


def _told(value: object) -> str:
    if isinstance(value, str) and not _UNCLEAR.search(value):
        return in_one_line(value)
    return repr(value)


#: What would leave open where a value ends.
_UNCLEAR = re.compile(r"[ \t=\r\n\"']")

#: Without local variables: they may be secrets.
_STACK_TRACES = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)

_ON_EVERY_LINE: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_ON_EVERY_LINE,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
