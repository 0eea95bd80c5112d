"""Points in time as expressions give them: RFC 3339 texts, or milliseconds since the epoch."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from dirigent.domain.errors import ExpressionError
from dirigent.interpreter.durations import LONGEST_MS

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIX = 'Give a text such as "2026-03-01T09:00:00Z", or milliseconds since the epoch.'


def moment_ms(value: Any, now_ms: int) -> int:
    """The point in time in milliseconds since the epoch.

    Raises `ExpressionError` for what is none, and for what is further ahead than may be waited for.
    """
    if isinstance(value, str):
        moment = _from_text(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        moment = int(value)
    else:
        raise ExpressionError(f"{value!r:.80} is no point in time.", fix=_FIX)
    if moment - now_ms > LONGEST_MS:
        raise ExpressionError(f"{value!r:.80} is more than 366 days ahead.", fix="Wait in several steps.")
    return moment


def _from_text(text: str) -> int:
    if not _RFC_3339.fullmatch(text):
        raise ExpressionError(f"{text!r:.80} is no point in time with its offset.", fix=_FIX)
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ExpressionError(f"{text!r:.80} is no point in time: {error}.", fix=_FIX) from error
    return (moment - _EPOCH) // timedelta(milliseconds=1)
