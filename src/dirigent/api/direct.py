"""What became of an agent's action that was called directly, as an answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dirigent.api.envelopes import NODE, envelope_of
from dirigent.api.failures import ActionEnded
from dirigent.domain.errors import DirigentError
from dirigent.domain.event import Failure
from dirigent.engine import Engine
from dirigent.execution.registry import Action
from dirigent.interpreter.reading import Reading, StepReading

REFUSALS = ("policy_denied", "refused")
STATUS_OF_CODES = {
    **dict.fromkeys(REFUSALS, 403),
    "action_failed": 422,
    "agent_timeout": 504,
    "step_timeout": 504,
    **dict.fromkeys(("circuit_open", "no_place_left"), 503),
    "agent_error": 502,
    "bad_output": 502,
}
SHOWN_STATES = {"waiting": "awaiting_approval"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP status and the body that goes with it."""

    status: int
    body: dict[str, Any]


def answer_of(engine: Engine, action: Action, reading: Reading) -> Answer:
    """The result, or what it waits for; raises `ActionEnded` where it was refused or failed."""
    step = reading.steps.get(NODE)
    if step is None or step.status in ("failed", "skipped", "rejected"):
        raise _ended(reading, step)
    facts = {
        "agent": action.agent.key,
        "action": action.spec.name,
        "status": SHOWN_STATES.get(step.status, step.status),
        "duration_ms": step.duration_ms,
        "execution_id": reading.execution_id,
    }
    if step.status == "succeeded":
        envelope = envelope_of(action, reading, step)
        status = "simulated" if envelope.metadata["status"] == "simulated" else step.status
        return Answer(status=200, body={**facts, "status": status, "envelope": envelope.as_dict()})
    waiting = engine.approvals(state="open", execution=reading.execution_id)
    approvals = [row.approval_id for row in waiting]
    return Answer(status=202, body={**facts, "approvals": approvals, "reason": step.reason or None})


def _ended(reading: Reading, step: StepReading | None) -> ActionEnded:
    failure = (step.error if step else None) or reading.error
    if failure is None:
        reason = (step.reason if step else "") or f"The execution is {reading.status}."
        failure = Failure(code="not_run", message=reason)
    fixes = [finding.fix for refusal in reading.refusals for finding in refusal.findings if finding.fix]
    return ActionEnded(
        failure.message,
        code=failure.code,
        status=_status(failure.code),
        execution_id=reading.execution_id,
        rules=failure.rules,
        fix=" ".join(dict.fromkeys(fixes))
        or f"GET /api/v1/executions/{reading.execution_id}/events tells why.",
    )


def _status(code: str) -> int:
    if code.endswith("_not_found"):
        return 404
    known = {cls.code: cls.http_status for cls in _family(DirigentError)}
    return STATUS_OF_CODES.get(code) or known.get(code, 409)


def _family(cls: type[DirigentError]) -> Iterable[type[DirigentError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _family(child)
