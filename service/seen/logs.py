"""The log of the service, on standard error: lines for people, or one JSON object a line.

Each line that is written for a request carries its id, also what a thread writes that works for it.
Knows nothing about what is told.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from typing import Any

from latent.errors import InputError
from latent.settings import Settings

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that is being worked on."""
FIELDS = "fields"  # of a record: what its message says, for programs


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message, and the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname,
            "logger": record.name,
        }
        if (request_id := REQUEST_ID.get()) is not None:
            line["request_id"] = request_id
        fields: dict[str, Any] | None = getattr(record, FIELDS, None)
        line.update({"message": record.getMessage()} if fields is None else fields)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)  # ASCII, so that nothing can break a line


class Lines(logging.Formatter):
    """Lines for people; the id of the request ends a line that does not name it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of logging
        line = super().formatMessage(record)
        request_id = REQUEST_ID.get()
        return line if request_id is None or request_id in line else f"{line} [{request_id}]"


def log_to_stderr(settings: Settings) -> None:
    """Set up the log of this process; what was set up before is replaced.

    Raises:
        InputError: there is no such level.
    """
    known = logging.getLevelNamesMapping()
    level = known.get(settings.log_level.upper())
    if level is None:
        raise InputError(
            f"NEARFIELD_LOG_LEVEL is {settings.log_level!r}; it must be one of {', '.join(known)}"
        )
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.log_format == "json" else Lines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # No line says from which thread, process or line of code it comes; to find out is a third of
    # what it costs (https://docs.python.org/3/howto/logging.html#optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    # uvicorn announces the address in words of its own; ours is printed already.
    logging.getLogger("uvicorn.error").setLevel(max(level, logging.WARNING))
