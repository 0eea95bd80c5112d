"""The log of what a command did: a file in the data folder, so that what it prints stays readable."""

from __future__ import annotations

import tempfile
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

NAME = "dirigent.log"
BYTES_MAX = 10 * 1024 * 1024


@dataclass
class _LogFile:
    """Appends lines to a file; a file that has grown too large is put aside once."""

    folder: Path | None = None

    @property
    def path(self) -> Path:
        there = self.folder is not None and self.folder.is_dir()
        return (self.folder if there and self.folder else Path(tempfile.gettempdir())) / NAME

    def append(self, text: str) -> None:
        path = self.path
        if path.exists() and path.stat().st_size > BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        with path.open("a", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")


class _Lines:
    """What structlog hands finished lines to."""

    def msg(self, message: str) -> None:
        _LOG.append(message)

    log = debug = info = warning = warn = error = critical = exception = failure = fatal = msg


_LOG = _LogFile()


def log_to(folder: Path, level: str) -> None:
    """From now on log lines of this level and above go to the folder's log, one JSON object each."""
    _LOG.folder = folder
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_logger,
        cache_logger_on_first_use=False,
    )


def note_failure(error: BaseException) -> Path:
    """Write down an unexpected error with its traceback; returns the file."""
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    _LOG.append(f"{stamp} unexpected\n{''.join(traceback.format_exception(error))}")
    return _LOG.path


def _logger(*_: Any) -> _Lines:
    return _Lines()
