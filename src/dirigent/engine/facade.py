"""Start executions, wait for them, and stop them; the other parts of the facade come with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from dirigent.domain.canonical import storable
from dirigent.domain.errors import Conflict, InvalidInput
from dirigent.domain.event import (
    CancelRequested,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    Origin,
    Passport,
)
from dirigent.domain.ids import goal_execution_id
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.engine.decisions import Decisions
from dirigent.engine.forks import Forks
from dirigent.engine.signals import Signals
from dirigent.interpreter.inputs import check_input
from dirigent.interpreter.reading import Reading

GOALS_PER_SECOND_MAX = 100_000
PRIORITY_MAX = 9


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution is started with.

    `labels` are kept with the start and shown in lists (`summary`); `budget` bounds what it and all it
    starts may spend; `execution_id` is made when it is empty. `correlation` joins what belongs together
    (the execution's own id where it is empty); `cause` and `cause_depth` are those of the passport.
    `priority`, 0 to 9, says how soon it is wanted among those of its tenant.
    `allow_delivery` off holds whatever would leave, whatever the house allows. `origin` is the call of
    another engine that it carries out.
    """

    definition: Definition
    tenant: str
    actor: str
    input: dict[str, Any] = {}
    autonomy: Autonomy = Autonomy.L1
    budget: float | None = None
    trigger: str = "manual"
    labels: dict[str, Any] = {}
    execution_id: str = ""
    correlation: str = ""
    cause: str = ""
    cause_depth: int = 0
    priority: int = 5
    allow_delivery: bool = True
    origin: Origin | None = None


def _priority(priority: int) -> int:
    if not 0 <= priority <= PRIORITY_MAX:
        raise InvalidInput(f"The priority {priority} is not within 0 to {PRIORITY_MAX}.", field="priority")
    return priority


class Engine(Decisions, Signals, Forks):
    """One door for people and programs to executions. Everything acknowledged is on stable storage.

    `fresh_id` names an execution that is accepted at a time (milliseconds since the epoch).
    """

    async def start(self, start: Start) -> str:
        """Accept an execution and return its id; it runs in the background.

        Raises `Conflict` where an execution of that id exists and `InvalidInput` where the input is not
        what the definition takes.
        """
        started = self._started(start)
        await self.runtime.submit(start.definition, started)
        return started.execution_id

    async def run(self, start: Start) -> Reading:
        """Accept an execution, wait until it is at rest (see `rest`), and say how it stands; as `start`."""
        started = self._started(start)
        await self.runtime.run(start.definition, started)
        return self.read(started.execution_id)

    def _started(self, start: Start) -> ExecutionStarted:
        execution_id = start.execution_id or self.new_execution_id()
        return ExecutionStarted(
            at=self._clock.now_ms(),
            execution_id=execution_id,
            workflow=start.definition.name,
            definition=start.definition.content_hash,
            input=storable(check_input(start.definition, start.input), "The input"),
            passport=Passport(
                tenant=start.tenant,
                actor=start.actor,
                autonomy=start.autonomy.value,
                budget=start.budget,
                correlation=start.correlation or execution_id,
                cause=start.cause,
                cause_depth=start.cause_depth,
                priority=_priority(start.priority),
                delivery=start.allow_delivery,
                origin=start.origin,
            ),
            trigger=start.trigger,
            labels=start.labels,
        )

    def new_goal_id(self) -> str:
        """A free id for a goal accepted now."""
        stamp = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).strftime("%Y%m%d_%H%M%S")
        for number in range(1, GOALS_PER_SECOND_MAX):
            candidate = goal_execution_id(stamp, number)
            if self._journal.head(candidate) == 0:
                return candidate
        raise Conflict("A hundred thousand goals were handed in within one second.", fix="Try again.")

    async def rest(self, execution_id: str, *, patience_ms: int = 0) -> Reading:
        """Wait until the execution has ended or only waits for a person; returns how it stands.

        With `patience_ms` also where it waits for a time that is further away than this.
        """
        await self.wait_rest(execution_id, patience_ms=patience_ms)
        return self.read(execution_id)

    async def wait_rest(self, execution_id: str, *, patience_ms: int = 0) -> None:
        """As `rest`, for who does not want to know how it stands: nothing of its history is read."""
        before = self._clock.now_ms() + patience_ms if patience_ms else 0
        await self.runtime.rest(execution_id, before=before)

    async def cancel(self, execution_id: str, actor: str, reason: str = "") -> None:
        """Stop an execution and all it started; nothing new acts from here on but what undoes."""
        event = CancelRequested(at=self._clock.now_ms(), actor=actor, reason=reason)
        await self.runtime.deliver(execution_id, event)

    async def pause(self, execution_id: str, actor: str, reason: str = "") -> None:
        """Begin nothing new in an execution and all it started; what runs goes on to its end."""
        await self.runtime.deliver(
            execution_id, ExecutionPaused(at=self._clock.now_ms(), actor=actor, reason=reason)
        )

    async def resume(self, execution_id: str, actor: str) -> None:
        """Go on with what a pause held back."""
        await self.runtime.deliver(execution_id, ExecutionResumed(at=self._clock.now_ms(), actor=actor))
