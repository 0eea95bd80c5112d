"""Goals: hand one in, see how it stands, list them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from dirigent.api.bodies import StrictRoute
from dirigent.api.goal_models import GoalAccepted, GoalExecution, GoalList, GoalRequest
from dirigent.api.listing import Limit, newest
from dirigent.api.services import Given
from dirigent.api.tenancy import Asked, joined, require_execution
from dirigent.api.times import iso, iso_or_none
from dirigent.intake.ingest import Accepted
from dirigent.ports import ExecutionRow

router = APIRouter(prefix="/api/are", tags=["goals"], route_class=StrictRoute)


def _an_object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PydanticCustomError("object", "A goal is an object with named fields")
    return value


# Intake reads the fields itself, since it knows the metrics and the nearest names; the model says what
# they are.
GoalBody = Annotated[
    Mapping[str, Any], PlainValidator(_an_object, json_schema_input_type=GoalRequest), Body()
]


@router.post("/goals", status_code=202, response_model=GoalAccepted, response_model_exclude_unset=True)
async def submit_goal(body: GoalBody, given: Given, asked: Asked) -> dict[str, Any]:
    """Accept a goal and answer at once; it is worked on in the background.

    A goal that is not understood is answered with `goal_not_understood` and a question.
    """
    return _accepted(await given.intake.submit_goal(joined(body, asked)))


@router.get("/executions", response_model=GoalList)
async def list_goals(given: Given, asked: Asked, limit: Limit = 100) -> dict[str, Any]:
    """Goals, newest first."""
    rows = newest(given.engine, asked, limit, lambda row: row.workflow == "goal")
    return {"executions": [_line(row) for row in rows], "total": len(rows)}


@router.get("/executions/{execution_id:path}", response_model=GoalExecution)
async def read_goal(
    execution_id: str,
    given: Given,
    asked: Asked,
    expand: Annotated[Literal["plan"] | None, Query(description="`plan` gives the whole plan.")] = None,
) -> dict[str, Any]:
    """How a goal stands: plan, tasks, assessment, what was held back, cost, and the result."""
    require_execution(given, execution_id, asked)
    report = given.report(execution_id)
    whole = {"plan": report.plan} if expand and report.plan else {}
    return {**report.as_dict(), **whole}


def _accepted(accepted: Accepted) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "execution_id": accepted.execution_id,
        "status": accepted.status,
        "estimated_completion": accepted.estimated_completion,
    }
    interpreted = accepted.goal.interpreted if accepted.goal else None
    return answer if interpreted is None else {**answer, "interpreted_goal": interpreted}


def _line(row: ExecutionRow) -> dict[str, Any]:
    return {
        "execution_id": row.execution_id,
        "org_id": row.tenant,
        "status": row.status,
        "summary": row.summary,
        "started_at": iso(row.started_at),
        "finished_at": iso_or_none(row.ended_at),
    }
