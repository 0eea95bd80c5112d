"""The base of everything that can happen."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Base of all events."""

    at: int


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a step in the execution that another was forked from: its output or its error.

    `version` is the event that said so, 0 where a person wrote the output for the fork. `child` is the
    execution that the step had started. `item` is the digest of the item, for an item of a `foreach` step.
    """

    output: Any = None
    error: Failure | None = None
    version: int = 0
    child: str = ""
    item: str = ""


class Unsettled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a step that had begun there and is done again here.

    `key` and `payload` are those under which its effect was announced and never settled: the same effect is
    done again under the same key. `calls` is what its action had asked for, `child` the execution that it
    had started and that did not come to its result.
    """

    key: str = ""
    payload: str = ""
    calls: tuple[CallStarted | CallEnded, ...] = ()
    child: str = ""
