"""Actions of agents that run as servers of their own: judged here, taken there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from dirigent.domain.agent import ActionSpec, AgentSpec
from dirigent.domain.canonical import canonical_bytes, digest_of
from dirigent.domain.errors import DirigentError
from dirigent.domain.event import Failure
from dirigent.execution.blocking import BlockingCalls
from dirigent.execution.registry import Action
from dirigent.ports.remote import OUTCOME_UNKNOWN, SUCCEEDED, UNCLEAR, RemoteAgent, RemoteAnswer, RemoteCall

ANNOTATIONS = ("description", "title")
NO_REASON = Failure(code="remote_failed", message="The agent's server gave no reason.")


class EndedElsewhere(DirigentError):
    """A call of an agent's server ended without a result, as `failure` says.

    `certain` says that nothing came of it; `unknown` that the server itself does not know. `let_out` is
    whether anything was let out at all.
    """

    def __init__(self, answer: RemoteAnswer) -> None:
        self.failure = answer.error or NO_REASON
        super().__init__(self.failure.message)
        self.certain = answer.status not in (UNCLEAR, OUTCOME_UNKNOWN)
        self.unknown = answer.status == OUTCOME_UNKNOWN
        self.let_out = answer.let_out


class Caller(Protocol):
    """The context of a call, as far as another process has to know it."""

    def to_send(self, agent: str, action: str, contract: str) -> RemoteCall:
        """The call of an action, with its inputs."""
        ...

    def acknowledge(self, reference: str) -> None:
        """Say what the receiver calls the effect."""
        ...


class RemoteAction(Action):
    """An action of a known agent that its server takes. What it declares, takes and gives is the same.

    It shows no sign of life on the way, so that its server alone watches over its `heartbeat_s`.
    """

    def __init__(
        self, agent: AgentSpec, spec: ActionSpec, instance: Any, blocking: BlockingCalls, server: RemoteAgent
    ) -> None:
        super().__init__(agent, replace(spec, runs_in="loop", heartbeat_s=None), instance, blocking)
        self.takes_context = True
        self._server = server

    def read_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Nothing to bind: the inputs go as they are. Raises `InvalidInput` where they do not fit."""
        super().read_inputs(inputs)
        return {}

    async def invoke(self, arguments: dict[str, Any], context: Caller) -> Any:
        """Have the server take it; raises `EndedElsewhere` where it gives no result."""
        contract = contract_of(self)
        answer = await self._server.call(context.to_send(self.agent.key, self.spec.name, contract))
        if answer.reference and self.announced:
            context.acknowledge(answer.reference)
        if answer.status != SUCCEEDED:
            raise EndedElsewhere(answer)
        return answer.output

    def plain_output(self, value: Any) -> Any:
        """The output, checked against what the action declares: it comes from outside."""
        return super().plain_output(self.output_from_json(canonical_bytes(value)))


def contract_of(action: Action) -> str:
    """What two processes have to agree on about an action, by content; wording does not count."""
    known = action.contract
    if not known:
        spec = action.spec
        known = action.contract = digest_of(
            {
                "agent": action.agent.key,
                "action": spec.name,
                "risk": spec.risk.value,
                "effect": spec.effect.value,
                "outward": spec.outward,
                "lookup": spec.lookup,
                "tells_held": spec.tells_held,
                "cost": spec.cost,
                "inputs": _bare(action.input_schema()),
                "output": _bare(action.output_schema()),
            }
        )
    return known


def _bare(schema: Any) -> Any:
    """A schema without the words that explain it; a field may well be called `title`."""
    if isinstance(schema, list):
        return [_bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _bare(value)
        for name, value in schema.items()
        if not (name in ANNOTATIONS and isinstance(value, str))
    }
