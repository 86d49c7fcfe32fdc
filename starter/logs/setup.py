"""Sends every logger of a process to stderr, one event a line.

The code logs with the standard library: `logging.getLogger("perdure.x")`, a constant event, and its values in `extra`.
structlog renders the lines, those of Temporal's SDK and of other libraries too.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, TextIO

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.stdlib import ExtraAdder, ProcessorFormatter

from settings import Settings
from starter.logs.failures import Failures
from starter.logs.fields import named, plain

Processor = Callable[[Any, str, MutableMapping[str, Any]], Mapping[str, Any] | str]
"""A step of structlog that changes an event, or renders it. The last one returns the line."""

_OURS = ("perdure", "temporalio")
_QUIET = ("stripe", "sqlalchemy")


def log_to_stderr(
    settings: Settings, more: Sequence[Processor] = (), failures: Failures | None = None, stream: TextIO | None = None
) -> None:
    """Write the process's log to stderr, as LOG_LEVEL and LOG_FORMAT say.

    Only our loggers and Temporal's go below INFO: at DEBUG, SQLAlchemy would log every row it reads, and HTTP clients
    everything they send. At INFO, Stripe's SDK would log two lines per request.

    Args:
        more: what else makes fields of a record, such as those of Temporal.
        failures: how exceptions become fields, if not only our own errors are expected.
        stream: where to, instead of stderr.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[ExtraAdder(), *more, named, failures or Failures()],
            processors=[ProcessorFormatter.remove_processors_meta, plain, _renderer(settings.log_format, stream)],
            use_get_message=True,
        )
    )
    logging.basicConfig(
        level=max(logging.INFO, logging.getLevelName(settings.log_level)), handlers=[handler], force=True
    )
    logging.captureWarnings(capture=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(settings.log_level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(form: str, stream: TextIO) -> Any:
    terminal = stream.isatty()
    if form == "json" or (form == "auto" and not terminal):
        # Escapes everything but ASCII: no value can end a line, or change the terminal of a person who reads the log.
        return structlog.processors.JSONRenderer(serializer=json.dumps)
    return ConsoleRenderer(
        timestamp_key="time",
        colors=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        sort_keys=False,
        pad_event_to=0,
        pad_level=False,
        exception_formatter=plain_traceback,
    )
