"""What an operator asks of an execution, and effects of unknown outcome, as they go over the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dirigent.api.execution_models import EXAMPLE_ID

Actor = Annotated[str | None, Field(min_length=1, max_length=200, description="Who asks for it.")]
Steps = Annotated[list[str], Field(max_length=1000)]


class ControlRequest(BaseModel):
    """Why it is stopped, and who says so."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "The customer called."}]}
    )

    reason: str = Field("", max_length=2000)
    actor: Actor = None


class Controlled(BaseModel):
    """The request is on stable storage, and this is how the execution stands now."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"execution_id": EXAMPLE_ID, "status": "cancelled"}]}
    )

    execution_id: str
    status: str


class SignalRequest(BaseModel):
    """What a running execution is told."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "order.paid", "data": {"sum": 49}, "signal_id": "o-17"}]},
    )

    name: str = Field(max_length=200, description="The step that waits for a signal of this name takes it.")
    data: Any = None
    signal_id: str = Field("", max_length=200, description="Said again under the same id it counts once.")
    actor: Actor = None


class Signalled(Controlled):
    """The signal is on stable storage."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"execution_id": EXAMPLE_ID, "status": "running", "signal_id": "o-17"}]
        }
    )

    signal_id: str


class Resolution(BaseModel):
    """What became of an effect of unknown outcome, or that it is to be looked at now."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"step": "pay", "outcome": "happened", "output": {"paid": 7}, "attempt": 1}]
        },
    )

    step: str = Field(max_length=1000)
    outcome: Literal["happened", "not_happened", "look"] = Field(
        description="`look` has it read back; what is found settles it."
    )
    output: Any = Field(None, description="What the step gave; only where it happened.")
    attempt: int | None = Field(None, ge=1, description="The word holds for this attempt only.")
    actor: Actor = None


class ForkRequest(BaseModel):
    """Where an execution is forked, and what is to be different."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"at": "third", "edits": {"second": {"text": "better"}}}]},
    )

    at: int | str | None = Field(
        None, description="The step before which it is forked, or a version of the history; else its end."
    )
    edits: dict[str, Any] = Field({}, description="Other outputs, by step.")
    input: dict[str, Any] | None = Field(None, description="In place of the whole input.")
    again: Steps = Field([], description="Steps whose effect may be done again though nobody knows its end.")
    actor: Actor = None


class RetryRequest(BaseModel):
    """From which step on an execution without its result is done again; else only what was left undone."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"step": "third"}]})

    step: str | None = Field(None, max_length=1000)
    again: Steps = Field([], description="Steps whose effect may be done again though nobody knows its end.")
    actor: Actor = None


OUTCOME: dict[str, Any] = {
    "execution_id": EXAMPLE_ID,
    "org_id": "org_123",
    "step": "pay",
    "attempt": 1,
    "agent": "bank",
    "action": "pay",
    "inputs": {"amount": 7},
    "key": "3f6c9a",
    "payload_hash": "1f0c",
    "reference": "no. 12",
    "sent_at": "2024-11-26T14:30:02.000Z",
    "since": "2024-11-26T14:30:32.000Z",
    "lookup": True,
    "looks": 2,
    "call": "",
    "state": "open",
    "settled_by": None,
    "settled_at": None,
}


class OutcomeModel(BaseModel):
    """One effect of which nobody knows, or knew, whether it happened."""

    model_config = ConfigDict(json_schema_extra={"examples": [OUTCOME]})

    execution_id: str
    org_id: str
    step: str
    attempt: int
    agent: str
    action: str
    inputs: dict[str, Any] = Field(description="What was sent.")
    key: str = Field(description="Under which key.")
    payload_hash: str
    reference: str = Field(description="What the receiver called it, where it said so.")
    sent_at: str | None = Field(description="When it was let out; null where an older journal does not say.")
    since: str = Field(description="Since when nobody knows.")
    lookup: bool = Field(description="Whether it can be read back.")
    looks: int = Field(description="How often it was.")
    call: str = Field(description="The call of the step's action that it is about; empty: the step's own.")
    state: str = Field(description="open, happened, not_happened, or left: the execution ended before.")
    settled_by: str | None = Field(description="A person, or `read_back`.")
    settled_at: str | None


class OutcomeList(BaseModel):
    """Effects of unknown outcome, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"outcomes": [OUTCOME], "total": 1}]})

    outcomes: list[OutcomeModel]
    total: int
