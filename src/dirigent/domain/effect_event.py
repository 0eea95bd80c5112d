"""What can happen to an effect, and calls of running actions: acknowledged, unknown, observed, settled.

The intent is `StepStarted` or `CallStarted`; that it was let out, and mostly its end, stand in
`StepCompleted`, `StepFailed` or `CallEnded`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dirigent.domain.event_base import Event, Failure

OUTCOME_UNKNOWN = "outcome_unknown"  # the code of the failure of a call of which nobody knows the end


class CallStarted(Event, frozen=True, kw_only=True, tag=True):
    """The dispatcher let an action through that a running action asked for. `call` is `<step>/<ordinal>`."""

    call: str
    step: str
    attempt: int
    agent: str
    action: str
    risk: str
    effect: str
    verdict: str = "allow"
    rules: tuple[str, ...] = ()
    policy: str = ""
    key: str = ""
    payload: str = ""
    reserved: float = 0.0


class CallEnded(Event, frozen=True, kw_only=True, tag=True):
    """A call of a running action ended, with its output or its error.

    `sent_at` is when its effect was let out; 0 where nothing was.
    """

    call: str
    payload: str
    output: Any = None
    error: Failure | None = None
    cost: float = 0.0
    sent_at: int = 0


class EffectAcknowledged(Event, frozen=True, kw_only=True, tag=True):
    """The receiver has an effect and calls it `reference`; what became of it is not known yet.

    `call` is empty for a step's own action, else the call that a running action made.
    """

    step: str
    attempt: int
    reference: str
    call: str = ""


class StepOutcomeUnknown(Event, frozen=True, kw_only=True, tag=True):
    """Nobody knows whether an effect happened; a person has to say. It is never repeated by itself.

    `agent`, `action` and `inputs` are what was sent, `sent_at` is when, `key` under which key, and
    `reference` what the receiver called it, where it said so. With `lookup` it can be read back.
    `call` is the call of which it is not known, where it is one that the step's action made.
    """

    step: str
    attempt: int
    key: str
    payload: str = ""
    agent: str = ""
    action: str = ""
    inputs: dict[str, Any] = msgspec.field(default_factory=dict)
    sent_at: int = 0
    reference: str = ""
    lookup: bool = False
    call: str = ""


class ReadBackRequested(Event, frozen=True, kw_only=True, tag=True):
    """A person asked to look once more whether an effect happened."""

    step: str
    attempt: int
    actor: str


class OutcomeObserved(Event, frozen=True, kw_only=True, tag=True):
    """It was read back whether an effect happened: `found`, with what was found, or `error` why not seen."""

    step: str
    attempt: int
    found: bool
    output: Any = None
    error: Failure | None = None


class StepOutcomeResolved(Event, frozen=True, kw_only=True, tag=True):
    """It is settled what became of an effect: `happened` with its output, or that it did not.

    `actor` is the person who said so, or `read_back`. With `call` it is the effect of that call, and the
    output is the call's: the step's action is run once more, and finds it there.
    """

    step: str
    attempt: int
    happened: bool
    actor: str
    output: Any = None
    call: str = ""
