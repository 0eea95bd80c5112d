"""The port to agents that run as servers of their own, and what goes over it."""

from __future__ import annotations

from typing import Annotated, Any, Protocol, runtime_checkable

import msgspec
from msgspec import Meta

from dirigent.domain.canonical import VALUE_BYTES_MAX
from dirigent.domain.event import Failure, Origin

SUCCEEDED, FAILED, UNCLEAR, OUTCOME_UNKNOWN = "succeeded", "failed", "unclear", "outcome_unknown"
ONLINE, OFFLINE, ERROR, UNASKED = "online", "offline", "error", "unknown"

CALL_BYTES_MAX = ANSWER_BYTES_MAX = VALUE_BYTES_MAX + 1024 * 1024  # what a step may take or give, and a frame

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class RemoteCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One action that another engine asks for, with all that its own gates have decided.

    `contract` is the digest of the action's declaration as the caller knows it. `time_limit_ms` is how long
    the caller waits; 0 means that it sets no limit.
    """

    agent: Name
    action: Name
    contract: Name
    inputs: dict[str, Any]
    tenant: Name
    actor: Name
    autonomy: Name
    origin: Origin
    correlation: Annotated[str, Meta(max_length=500)] = ""
    cause: Annotated[str, Meta(max_length=500)] = ""
    cause_depth: Annotated[int, Meta(ge=0, le=1_000)] = 0
    delivery: bool = True
    time_limit_ms: Annotated[int, Meta(ge=0, le=7 * 24 * 3600 * 1000)] = 0


class RemoteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a call.

    `failed` says that nothing came of it, and `let_out` whether anything had begun. With `unclear` no answer
    came that says anything. `outcome_unknown` is the agent's own word: it does not know either. `replayed`
    says that an earlier call under the same key gave this outcome.
    """

    status: str
    output: Any = None
    error: Failure | None = None
    let_out: bool = True
    reference: Annotated[str, Meta(max_length=500)] = ""
    replayed: bool = False
    execution_id: str = ""


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an agent answers at its address: online, offline, error, or unknown before it was asked."""

    state: str = UNASKED
    detail: str = ""


@runtime_checkable
class RemoteAgent(Protocol):
    """An agent that answers somewhere else."""

    @property
    def address(self) -> str:
        """Where it answers."""
        ...

    @property
    def presence(self) -> Presence:
        """What was last seen of it."""
        ...

    async def call(self, call: RemoteCall) -> RemoteAnswer:
        """Have it take an action. Whatever goes wrong on the way is an answer too."""
        ...

    async def look(self) -> Presence:
        """Ask whether it is there; the answer is kept for a few seconds."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
