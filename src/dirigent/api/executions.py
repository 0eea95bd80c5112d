"""Executions: list them, read one with its steps and its history.

The id of a child holds slashes (`parent/step`), so the addresses with something behind the id come first.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from dirigent.api.bodies import StrictRoute
from dirigent.api.execution_models import (
    EventList,
    ExecutionList,
    ExecutionModel,
)
from dirigent.api.listing import Limit, newest
from dirigent.api.services import Given, Services
from dirigent.api.tenancy import Asked, require_execution
from dirigent.api.times import iso, iso_or_none
from dirigent.domain.canonical import plain
from dirigent.domain.event import Event, ExecutionStarted, Failure
from dirigent.interpreter.reading import Reading, StepReading
from dirigent.ports import ExecutionRow

EVENTS_MAX = 10_000

router = APIRouter(prefix="/api/v1/executions", tags=["executions"], route_class=StrictRoute)


@router.get("", response_model=ExecutionList)
async def list_executions(
    given: Given,
    asked: Asked,
    status: Annotated[str | None, Query(description="Only those of this status.")] = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Executions that no other execution started, newest first."""
    rows = newest(given.engine, asked, limit, lambda row: status in (None, row.status))
    return {"executions": [_line(given, row) for row in rows], "total": len(rows)}


@router.get("/{execution_id:path}/events", response_model=EventList)
async def list_events(
    execution_id: str,
    given: Given,
    asked: Asked,
    after: Annotated[int, Query(ge=0, description="Only what came after this version.")] = 0,
    limit: Annotated[int, Query(ge=1, le=EVENTS_MAX, description="How many at most.")] = EVENTS_MAX,
) -> dict[str, Any]:
    """Every transition of an execution, in order."""
    require_execution(given, execution_id, asked)
    events = given.engine.events(execution_id, after)
    shown = [_event(version, event) for version, event in enumerate(events[:limit], after + 1)]
    total = after + len(events) if events else min(after, given.engine.version(execution_id))
    return {"execution_id": execution_id, "events": shown, "total": total}


@router.get("/{execution_id:path}", response_model=ExecutionModel)
async def read_execution(execution_id: str, given: Given, asked: Asked) -> dict[str, Any]:
    """One execution with its steps and its output."""
    require_execution(given, execution_id, asked)
    return _execution(given, given.engine.read(execution_id))


def _execution(given: Services, reading: Reading) -> dict[str, Any]:
    started, tenant = reading.started, reading.started.passport.tenant
    return {
        "execution_id": reading.execution_id,
        "org_id": tenant,
        "workflow_id": given.library.id_of(tenant, started.workflow),
        "workflow": started.workflow,
        "workflow_version": given.library.version_of(tenant, started.workflow, started.definition),
        "definition": started.definition,
        "status": reading.status,
        "paused": reading.paused,
        "trigger_type": started.trigger,
        "steps": [_step(step) for step in reading.steps.values()],
        "output": reading.output,
        "error": _failure(reading.error),
        "spent": round(reading.spent, 6),
        "started_at": iso(started.at),
        "finished_at": iso_or_none(reading.ended_at),
        "audit": {"events": reading.events},
    }


def _step(step: StepReading) -> dict[str, Any]:
    return {
        "id": step.id,
        "status": step.status,
        "agent": step.agent or None,
        "action": step.action or None,
        "attempts": step.attempts,
        "duration_ms": step.duration_ms,
        "output": step.output,
        "error": _failure(step.error),
        "approval": step.approval or None,
        "child": step.child or None,
        "reason": step.reason or None,
    }


def _failure(failure: Failure | None) -> dict[str, Any] | None:
    return None if failure is None else plain(failure)


def _line(given: Services, row: ExecutionRow) -> dict[str, Any]:
    return {
        "execution_id": row.execution_id,
        "org_id": row.tenant,
        "workflow_id": given.library.id_of(row.tenant, row.workflow),
        "workflow": row.workflow,
        "status": row.status,
        "paused": row.paused,
        "trigger_type": row.trigger,
        "summary": row.summary,
        "started_at": iso(row.started_at),
        "finished_at": iso_or_none(row.ended_at),
    }


def _event(version: int, event: Event) -> dict[str, Any]:
    facts: dict[str, Any] = plain(event)
    named = {"type": facts.pop("type"), "at": iso(facts.pop("at")), "step": facts.pop("step", None)}
    return {"version": version, **named, "actor": _actor(event), "data": facts}


def _actor(event: Event) -> str | None:
    if isinstance(event, ExecutionStarted):
        return event.passport.actor
    return getattr(event, "actor", None)
