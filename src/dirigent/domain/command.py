"""What the machine asks its driver to do. Imperative, frozen. Every command stays outstanding until
the event that answers it, save `BreakOff`; a driver that starts anew asks for the outstanding ones."""

from __future__ import annotations

from typing import Any

import msgspec

from dirigent.domain.event import Event


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of all commands."""


class RecordEvent(Command, frozen=True, kw_only=True, tag=True):
    """Append an event that the machine itself decided, then apply it."""

    event: Event


class InvokeAction(Command, frozen=True, kw_only=True, tag=True):
    """Take an action through the dispatcher. `approved` is the payload hash a person approved.

    `key` and `payload` are those of an effect that was announced before, in the execution this one was
    forked from, and of which nobody knows the end. `sent_at` is when an attempt was let through, and
    `reference` what the receiver called its effect. With `look` it is only read back whether it happened.
    """

    step: str
    attempt: int
    agent: str
    action: str
    inputs: dict[str, Any]
    timeout_ms: int = 0
    approved: str = ""
    started: bool = False
    key: str = ""
    payload: str = ""
    sent_at: int = 0
    reference: str = ""
    look: bool = False


class BreakOff(Command, frozen=True, kw_only=True, tag=True):
    """Stop an action that is under way or has not begun; nothing it brings counts any more."""

    step: str


class StartTimer(Command, frozen=True, kw_only=True, tag=True):
    """Wake the execution when the time has come."""

    timer: str
    due: int


class AwaitSignal(Command, frozen=True, kw_only=True, tag=True):
    """A step waits for a signal by this name or pattern; there is nothing to do until one comes."""

    step: str
    event: str


class CancelChild(Command, frozen=True, kw_only=True, tag=True):
    """Cancel the execution that a step started, for nobody waits for it; `ChildEnded` answers."""

    step: str
    child: str
    reason: str


class StartChild(Command, frozen=True, kw_only=True, tag=True):
    """Start an execution for a step, or find it when it is there already.

    It goes on where `forked_from` ended without its result, if that ran the same definition.
    """

    step: str
    child: str
    workflow: str
    definition: dict[str, Any] | None
    input: dict[str, Any]
    forked_from: str = ""
