"""Triggers at work: what there is, what they did, and firing or pausing one by hand."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from dirigent.api.bodies import StrictRoute
from dirigent.api.event_models import FiringPage, TriggerFired, TriggerModel, TriggerPage, TriggerWish
from dirigent.api.listing import Limit
from dirigent.api.services import Given, Services
from dirigent.api.tenancy import Asked
from dirigent.api.times import iso
from dirigent.intake.triggers.at_work import TriggerState, trigger_told
from dirigent.ports import FiringRow

router = APIRouter(prefix="/api/v1/triggers", tags=["triggers"], route_class=StrictRoute)


@router.get("", response_model=TriggerPage)
async def list_triggers(given: Given, asked: Asked) -> dict[str, Any]:
    """The triggers at work."""
    shown = [_trigger(given, state) for state in given.triggers.states(asked)]
    return {"triggers": shown, "total": len(shown)}


@router.get("/firings", response_model=FiringPage)
async def list_firings(
    given: Given,
    asked: Asked,
    trigger: Annotated[str | None, Query(description="Only of this trigger.")] = None,
    decision: Annotated[
        str | None, Query(description="started, queued, skipped, paused, failed or cut.")
    ] = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """What became of every firing, newest first; also why nothing was started."""
    rows = given.triggers.firings.firings(asked, trigger=trigger, decision=decision, limit=limit)
    return {"firings": [_firing(given, row) for row in rows], "total": len(rows)}


@router.post("/{trigger}/fire", status_code=202, response_model=TriggerFired)
async def fire_trigger(
    trigger: str, given: Given, asked: Asked, body: TriggerWish | None = None
) -> dict[str, Any]:
    """Fire a trigger by hand."""
    wish = body or TriggerWish()
    execution_id = await given.triggers.fire(trigger, wish.input, tenant=asked or "")
    return {"id": trigger, "execution_id": execution_id}


@router.post("/{trigger}/pause", response_model=TriggerModel)
async def pause_trigger(
    trigger: str, given: Given, asked: Asked, body: TriggerWish | None = None
) -> dict[str, Any]:
    """Let a trigger start nothing until it is resumed."""
    wish = body or TriggerWish()
    await given.triggers.pause(trigger, wish.actor or given.actor, wish.reason, tenant=asked or "")
    return _trigger(given, given.triggers.state(trigger, tenant=asked or ""))


@router.post("/{trigger}/resume", response_model=TriggerModel)
async def resume_trigger(
    trigger: str, given: Given, asked: Asked, body: TriggerWish | None = None
) -> dict[str, Any]:
    """Let a trigger start executions again."""
    wish = body or TriggerWish()
    await given.triggers.resume(trigger, wish.actor or given.actor, tenant=asked or "")
    return _trigger(given, given.triggers.state(trigger, tenant=asked or ""))


def _trigger(given: Services, state: TriggerState) -> dict[str, Any]:
    armed = state.armed
    return {
        **trigger_told(state),
        "workflow_id": given.library.id_of(armed.tenant, armed.definition.name),
    }


def _firing(given: Services, row: FiringRow) -> dict[str, Any]:
    return {
        "execution_id": row.execution_id,
        "trigger": row.trigger,
        "workflow_id": given.library.id_of(row.tenant, row.workflow),
        "workflow": row.workflow,
        "cause": row.cause,
        "decision": row.decision,
        "reason": row.reason,
        "count": row.count,
        "at": iso(row.at),
    }
