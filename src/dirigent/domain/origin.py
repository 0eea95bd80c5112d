"""Where a call comes from that another engine makes."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

YEAR_9999_MS = 253_402_300_799_000


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The call of another engine that an execution carries out: what that engine calls it.

    `step` is the step or call that asks, `attempt` its attempt, `key` the key of its effect, `now_ms` its
    time. `reference` is what the receiver called the effect at an earlier attempt. `approved` says that a
    person approved exactly this there.
    """

    execution_id: Annotated[str, Meta(min_length=1, max_length=1000)]
    step: Annotated[str, Meta(min_length=1, max_length=1000)]
    attempt: Annotated[int, Meta(ge=1, le=1_000_000)]
    key: Annotated[str, Meta(max_length=200)]
    now_ms: Annotated[int, Meta(ge=0, le=YEAR_9999_MS)]
    reference: Annotated[str, Meta(max_length=500)] = ""
    approved: bool = False
