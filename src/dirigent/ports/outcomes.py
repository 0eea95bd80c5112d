"""Effects of which nobody knew whether they happened, as lists show them."""

from __future__ import annotations

from typing import Any

import msgspec


class OutcomeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One effect of which nobody knew whether it happened. Times are milliseconds since the epoch.

    `agent`, `action` and `inputs` are what was sent, `sent_at` when, `key` under which key, `reference` what
    the receiver called it. `state` is open, happened, not_happened, or left: the execution ended before
    anybody knew. With `lookup` it can be read back, which was done `looks` times. `call` is the call of the
    step's action that it is about, empty where it is the step's own effect.
    """

    execution_id: str
    tenant: str
    step: str
    attempt: int
    agent: str
    action: str
    inputs: dict[str, Any]
    key: str
    payload_hash: str
    reference: str
    sent_at: int
    since: int
    lookup: bool
    looks: int = 0
    call: str = ""
    state: str = "open"
    settled_by: str | None = None
    settled_at: int | None = None
