"""What is asked of the dispatcher, and the ledger it writes to."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from dirigent.domain.canonical import digest_of
from dirigent.domain.event import CallEnded, CallStarted, Event, Passport


class Ledger(Protocol):
    """The execution's journal as the dispatcher sees it."""

    def record(self, event: Event) -> Awaitable[None]:
        """Append and apply an event; the awaitable completes when it is on stable storage."""
        ...

    def note(self, event: Event) -> None:
        """As `record`, without waiting: what follows from the event waits for its durability."""
        ...

    def call(self, call: str) -> CallStarted | CallEnded | None:
        """What is known of a call that a running action made before."""
        ...


@dataclass(frozen=True, kw_only=True)
class Request:
    """One action that somebody wants taken.

    `call` is empty for a step's own action, else `<step>/<ordinal>`. `approved` is the payload hash
    that a person approved. `started` says that an earlier process let it through and may have acted.
    `proposed` marks what a model proposed.
    """

    passport: Passport
    execution_id: str
    step: str
    attempt: int
    agent: str
    action: str
    inputs: dict[str, Any]
    now_ms: int
    call: str = ""
    timeout_ms: int = 0
    approved: str = ""
    started: bool = False
    proposed: bool = False

    @property
    def payload(self) -> str:
        """Hash of what would be done: agent, action and inputs in canonical form."""
        return digest_of({"agent": self.agent, "action": self.action, "inputs": self.inputs})

    @property
    def root(self) -> str:
        """The execution whose budget pays."""
        return self.passport.root or self.execution_id
