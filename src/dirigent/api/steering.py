"""What operators ask of executions: stop, hold and tell them, settle what is unclear, fork and retry them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from dirigent.api.bodies import StrictRoute
from dirigent.api.services import Given
from dirigent.api.steering_models import (
    Controlled,
    ControlRequest,
    ForkRequest,
    OutcomeList,
    Resolution,
    RetryRequest,
    Signalled,
    SignalRequest,
)
from dirigent.api.tenancy import Asked, require_execution
from dirigent.api.times import iso, iso_or_none
from dirigent.domain.errors import InvalidInput
from dirigent.ports import OutcomeRow

router = APIRouter(prefix="/api/v1", tags=["executions"], route_class=StrictRoute)


@router.get("/outcomes", response_model=OutcomeList)
async def list_outcomes(
    given: Given,
    asked: Asked,
    state: Annotated[
        Literal["open", "happened", "not_happened", "left", "all"],
        Query(description="Which to list; `left`: the execution ended before anybody knew."),
    ] = "open",
    execution: Annotated[str | None, Query(description="Only this execution's and its children's.")] = None,
) -> dict[str, Any]:
    """Effects of which nobody knows whether they happened: what was sent, when, under which key."""
    wanted = None if state == "all" else state
    rows = given.engine.unknown_outcomes(asked, state=wanted, execution=execution)
    return {"outcomes": [_outcome(row) for row in rows], "total": len(rows)}


@router.post("/executions/{execution_id:path}/cancel", response_model=Controlled)
async def cancel_execution(
    execution_id: str, given: Given, asked: Asked, body: ControlRequest | None = None
) -> dict[str, Any]:
    """Stop an execution and all it started; nothing new acts from here on."""
    return await _controlled(given, asked, execution_id, given.engine.cancel, body)


@router.post("/executions/{execution_id:path}/pause", response_model=Controlled)
async def pause_execution(
    execution_id: str, given: Given, asked: Asked, body: ControlRequest | None = None
) -> dict[str, Any]:
    """Begin nothing new in an execution and all it started; what runs goes on to its end."""
    return await _controlled(given, asked, execution_id, given.engine.pause, body)


@router.post("/executions/{execution_id:path}/resume", response_model=Controlled)
async def resume_execution(
    execution_id: str, given: Given, asked: Asked, body: ControlRequest | None = None
) -> dict[str, Any]:
    """Go on with what a pause held back."""
    return await _controlled(
        given, asked, execution_id, lambda id, actor, reason: given.engine.resume(id, actor), body
    )


@router.post("/executions/{execution_id:path}/signal", response_model=Signalled)
async def signal_execution(
    execution_id: str, body: SignalRequest, given: Given, asked: Asked
) -> dict[str, Any]:
    """Tell a running execution something; what nobody waits for yet is kept."""
    require_execution(given, execution_id, asked)
    sender = body.actor or given.actor
    signal_id = await given.engine.signal(
        execution_id, body.name, body.data, signal_id=body.signal_id, sender=sender
    )
    return {**_standing(given, execution_id), "signal_id": signal_id}


@router.post("/executions/{execution_id:path}/resolve", response_model=Controlled)
async def resolve_outcome(execution_id: str, body: Resolution, given: Given, asked: Asked) -> dict[str, Any]:
    """Say what became of an effect whose outcome nobody knows, or have it looked."""
    require_execution(given, execution_id, asked)
    actor, happened = body.actor or given.actor, body.outcome == "happened"
    if body.output is not None and not happened:
        raise InvalidInput("An output goes with happened only.", fix="Leave it out.", field="output")
    if body.outcome == "look":
        await given.engine.read_back(execution_id, body.step, actor=actor)
    else:
        await given.engine.resolve(
            execution_id, body.step, happened=happened, actor=actor, output=body.output, attempt=body.attempt
        )
    return _standing(given, execution_id)


@router.post("/executions/{execution_id:path}/fork", response_model=Controlled)
async def fork_execution(
    execution_id: str, given: Given, asked: Asked, body: ForkRequest | None = None
) -> dict[str, Any]:
    """Start an execution that takes over what another's steps gave, and does the others itself."""
    require_execution(given, execution_id, asked)
    wish = body or ForkRequest()
    forked = await given.engine.fork(
        execution_id,
        wish.actor or given.actor,
        at=wish.at,
        edits=wish.edits,
        input=wish.input,
        again=wish.again,
    )
    return _standing(given, forked)


@router.post("/executions/{execution_id:path}/retry", response_model=Controlled)
async def retry_execution(
    execution_id: str, given: Given, asked: Asked, body: RetryRequest | None = None
) -> dict[str, Any]:
    """Do what an execution left undone that ended without its result: a fork of it, linked to it."""
    require_execution(given, execution_id, asked)
    wish = body or RetryRequest()
    retried = await given.engine.retry(
        execution_id, wish.actor or given.actor, step=wish.step, again=wish.again
    )
    return _standing(given, retried)


async def _controlled(
    given: Given,
    asked: Asked,
    execution_id: str,
    control: Callable[[str, str, str], Awaitable[None]],
    body: ControlRequest | None,
) -> dict[str, Any]:
    require_execution(given, execution_id, asked)
    wish = body or ControlRequest()
    await control(execution_id, wish.actor or given.actor, wish.reason)
    return _standing(given, execution_id)


def _standing(given: Given, execution_id: str) -> dict[str, Any]:
    return {"execution_id": execution_id, "status": given.engine.row(execution_id).status}


def _outcome(row: OutcomeRow) -> dict[str, Any]:
    return {
        "execution_id": row.execution_id,
        "org_id": row.tenant,
        "step": row.step,
        "attempt": row.attempt,
        "agent": row.agent,
        "action": row.action,
        "inputs": row.inputs,
        "key": row.key,
        "payload_hash": row.payload_hash,
        "reference": row.reference,
        "sent_at": iso_or_none(row.sent_at),
        "since": iso(row.since),
        "lookup": row.lookup,
        "looks": row.looks,
        "call": row.call,
        "state": row.state,
        "settled_by": row.settled_by,
        "settled_at": iso_or_none(row.settled_at),
    }
