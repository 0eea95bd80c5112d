"""Flows that the engine runs: workflows, goals and the delivery of messages, as orchestrators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dirigent.domain.envelope import Envelope
from dirigent.domain.errors import ActionFailed, Conflict, InvalidInput
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine
from dirigent.intake.envelopes import envelope_of_run
from dirigent.intake.ingest import Intake
from dirigent.intake.library.store import WorkflowStore
from dirigent.observability.run_trace import RunTrace, current_run
from dirigent.ports import Records

NOT_INPUT = ("org_id", "tenant_id", "autonomy", "budget")


class WorkflowFlow:
    """A workflow as a flow. The run is an execution of the engine under the run's own id.

    Handed out again after a crash, the job finds the execution that it began and waits for that. It is
    done when the execution has ended, or waits for a person; it is dead where the execution failed. The
    payload is the input; `autonomy` and `budget` in it are the run's, and `org_id` its tenant.
    """

    def __init__(
        self, engine: Engine, intake: Intake, definition: Callable[[], Definition] | None = None
    ) -> None:
        self._engine = engine
        self._intake = intake
        self._definition = definition

    async def run(self, payload: Mapping[str, Any]) -> Envelope:
        """Start the workflow, or find it, and wait until it has come to rest."""
        run = _run()

        async def start() -> object:
            definition, version = self.chosen(run.tenant, payload)
            return await self._intake.run_workflow(
                definition,
                self.input_of(run.tenant, payload),
                tenant=run.tenant,
                autonomy=_autonomy(payload),
                budget=_budget(payload),
                trigger=run.trigger,
                execution_id=run.execution_id,
                correlation=run.correlation_id,
                allow_delivery=run.allow_delivery,
                priority=run.priority,
                version=version,
            )

        return await at_rest(self._engine, run, start)

    def chosen(self, tenant: str, payload: Mapping[str, Any]) -> tuple[Definition, int]:
        """What is run, and which version of a stored workflow that is; 0 where it is none."""
        assert self._definition is not None, "a flow without a definition chooses one by its payload"
        return self._definition(), 0

    def input_of(self, tenant: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """What the workflow is started with."""
        return {name: value for name, value in payload.items() if name not in NOT_INPUT}


class StoredWorkflowFlow(WorkflowFlow):
    """Any stored workflow as a flow: the payload has its name as `workflow` and what it takes as `input`.

    The version is the one in force when the job is taken up, or the payload's `version`.
    """

    def __init__(self, engine: Engine, intake: Intake, library: WorkflowStore) -> None:
        super().__init__(engine, intake)
        self._library = library

    def chosen(self, tenant: str, payload: Mapping[str, Any]) -> tuple[Definition, int]:
        """The stored workflow and its version; raises `NotFound`, and `Conflict` where it is paused."""
        name, version = payload.get("workflow"), payload.get("version", 0)
        if not isinstance(name, str) or not name:
            raise InvalidInput(
                "The payload names no workflow.", fix="Give workflow.", field="payload.workflow"
            )
        if isinstance(version, bool) or not isinstance(version, int):
            raise InvalidInput(f"version is {version!r}.", fix="Give its number.", field="payload.version")
        stored = self._library.startable(tenant, name, version)
        return stored.definition, stored.version.version

    def input_of(self, tenant: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The payload's `input`."""
        given = payload.get("input", {})
        if not isinstance(given, Mapping):
            raise InvalidInput(f"input is {given!r}.", fix="Give an object.", field="payload.input")
        return dict(given)


class GoalFlow:
    """A goal as a flow: the payload is the goal; see `WorkflowFlow` for what becomes of its job."""

    def __init__(self, engine: Engine, intake: Intake) -> None:
        self._engine = engine
        self._intake = intake

    async def run(self, payload: Mapping[str, Any]) -> Envelope:
        """Accept the goal, or find it, and wait until it has come to rest."""
        run = _run()

        async def start() -> object:
            return await self._intake.submit_goal(
                {"org_id": run.tenant, **payload},
                trigger=run.trigger,
                execution_id=run.execution_id,
                allow_delivery=run.allow_delivery,
            )

        return await at_rest(self._engine, run, start)


class DeliveryOrchestrator(WorkflowFlow):
    """Delivers stored messages: each asks the dispatcher for itself, by policy, autonomy and delivery gate.

    The payload has `message_ids`, or an `envelope` whose records have a `message_id`.
    """

    def __init__(
        self, engine: Engine, intake: Intake, definition: Callable[[], Definition], records: Records
    ) -> None:
        super().__init__(engine, intake, definition)
        self._records = records

    def input_of(self, tenant: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The messages as the records have them now, in the order in which they were named."""
        names = payload.get("message_ids")
        if names is None and "envelope" in payload:
            records = Envelope.of(payload["envelope"]).records
            names = [record.data["message_id"] for record in records if "message_id" in record.data]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidInput(
                "The payload names no messages.", fix="Give message_ids or an envelope.", field="payload"
            )
        rows = self._records.fetch(tenant, "messages", where={"message_id": names}) if names else []
        known = {row["message_id"]: row for row in rows}
        missing = [name for name in names if name not in known]
        if missing:
            raise InvalidInput(f"There is no message {missing[0]!r}.", field="payload.message_ids")
        sure = payload.get("confidence")
        return {"messages": [_message(known[name], sure) for name in names]}


async def at_rest(engine: Engine, run: RunTrace, start: Callable[[], Awaitable[object]]) -> Envelope:
    """The envelope of the run's execution once it has ended or waits; begun where it is not there yet."""
    if not engine.is_known(run.execution_id):
        await start()
    reading = await engine.rest(run.execution_id)
    run.journalled(len(reading.steps), reading.started.at)
    if reading.status == "failed":
        assert reading.error is not None, "an execution that failed says why"
        raise ActionFailed(
            f"The execution {run.execution_id} failed: {reading.error.message}",
            fix=f"`dirigent show {run.execution_id}` tells how.",
        )
    return envelope_of_run(reading, tenant=run.tenant, created_ms=run.now_ms())


def _run() -> RunTrace:
    run = current_run()
    if run is None:
        raise Conflict("A flow runs inside a run.", fix="Hand its trigger to CampaignManager.ingest_event.")
    return run


def _message(row: Mapping[str, Any], confidence: Any) -> dict[str, Any]:
    return {
        "message_id": row["message_id"],
        "sha256": row["sha256"],
        "lead_id": row["lead_id"],
        "confidence": confidence,
    }


def _autonomy(payload: Mapping[str, Any]) -> Autonomy | None:
    level = payload.get("autonomy")
    if level is None:
        return None
    try:
        return Autonomy(level)
    except ValueError as error:
        levels = ", ".join(level.value for level in Autonomy)
        raise InvalidInput(
            f"autonomy is {level!r}.", fix=f"Use one of: {levels}.", field="payload.autonomy"
        ) from error


def _budget(payload: Mapping[str, Any]) -> float | None:
    budget = payload.get("budget")
    if budget is None or (isinstance(budget, int | float) and not isinstance(budget, bool) and budget >= 0):
        return budget
    raise InvalidInput(f"budget is {budget!r}.", fix="Give a number from 0.", field="payload.budget")
