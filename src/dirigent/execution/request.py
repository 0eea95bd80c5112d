"""What is asked of the dispatcher, and the ledger it writes to."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from functools import cached_property
from typing import Any, Protocol

import msgspec

from dirigent.domain.canonical import digest_of
from dirigent.domain.event import CallEnded, CallStarted, Event, Passport
from dirigent.domain.ids import effect_key


class Ledger(Protocol):
    """The execution's journal as the dispatcher sees it."""

    def note(self, event: Event) -> None:
        """Apply an event; what follows from it waits for its durability."""
        ...

    def durable(self) -> Awaitable[None]:
        """Completes when everything noted so far is on stable storage."""
        ...

    def call(self, call: str) -> CallStarted | CallEnded | None:
        """What is known of a call that a running action made before."""
        ...

    def known(self, step: str, names: Iterable[str]) -> dict[str, Any]:
        """What the execution knows under these names where a step stands."""
        ...

    def unclear_call(self, step: str) -> CallStarted | None:
        """A call of a step's action that may have acted and of whose end nobody knows."""
        ...


class Request(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One action that somebody wants taken.

    `call` is empty for a step's own action, else `<step>/<ordinal>`. `approved` is the payload hash
    that a person approved. `started` says that an earlier process let it through and may have acted.
    `proposed` marks what a model proposed. `key` and `key_payload` are those of an effect that was
    announced before and of which nobody knows the end: the very same effect is done under the same key.
    `sent_at` is when an earlier attempt was let through, `reference` what the receiver called its effect.
    With `look` nothing is done; it is only read back whether it happened. `held` says why nothing of it may
    leave.
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
    key: str = ""
    key_payload: str = ""
    sent_at: int = 0
    reference: str = ""
    look: bool = False
    held: str = ""

    @cached_property
    def payload(self) -> str:
        """Hash of what would be done: agent, action and inputs in canonical form."""
        return digest_of({"agent": self.agent, "action": self.action, "inputs": self.inputs})

    @property
    def claim(self) -> str:
        """What its reservation is called where an earlier process made it."""
        return claim_of(self.execution_id, self.call or self.step)

    @property
    def root(self) -> str:
        """The execution whose budget pays."""
        return self.passport.root or self.execution_id


def claim_of(execution_id: str, name: str) -> str:
    """What the reservation of a step or call of an execution is called."""
    return f"{execution_id}\x1f{name}"


def key_of(request: Request, action: str) -> str:
    """The idempotency key of a request for an action, named `agent.action`; the same for every attempt.

    What another engine asked for is done under its key, and what that calls under keys made from its names.
    """
    origin = request.passport.origin
    if request.key and request.key_payload == request.payload:
        return request.key
    if origin is None:
        return effect_key(
            request.passport.tenant, request.execution_id, request.call or request.step, 0, action
        )
    if not request.call:
        return origin.key
    return effect_key(request.passport.tenant, origin.execution_id, asking_step(request), 0, action)


def asking_step(request: Request) -> str:
    """The step or call that asks, as it is called where the run began."""
    name, origin = request.call or request.step, request.passport.origin
    return name if origin is None else origin.step + name.removeprefix(request.step)
