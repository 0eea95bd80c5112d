"""Stored workflows: save, read, compare, put in force, hold up and start them.

A workflow is addressed by its id, its name or its short name. A name may hold slashes, so the addresses
with something behind it come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from dirigent.api.bodies import YAML_TYPES, DefinitionRoute, StrictRoute
from dirigent.api.listing import Limit
from dirigent.api.problems import finding_told
from dirigent.api.services import Given, Services
from dirigent.api.steering_models import ControlRequest
from dirigent.api.tenancy import Asked, spoken_for
from dirigent.api.times import iso
from dirigent.api.workflow_models import (
    ActivateRequest,
    DifferenceModel,
    Execute,
    ExecuteRequest,
    Executing,
    SaveRequest,
    Validated,
    VersionList,
    WorkflowLine,
    WorkflowList,
    WorkflowModel,
    WorkflowRequest,
    WorkflowSaved,
)
from dirigent.domain.canonical import plain
from dirigent.domain.errors import InvalidDefinition, InvalidInput
from dirigent.intake.library.starting import Wishes
from dirigent.intake.library.store import Saved
from dirigent.intake.workflows import inspect_written
from dirigent.interpreter.loading import definition_to_dict
from dirigent.interpreter.problems import SHOWN_MAX, Problem
from dirigent.ports import WorkflowRow

PREFIX = "/workflows"
NOT_DEFINITION = {"definition", "known_agents", "org_id", "tenant_id", "note", "actor"}
BESIDE_DEFINITION = {"name", "description", "type"}
AS_YAML: dict[str, Any] = {
    "requestBody": {"content": {YAML_TYPES[0]: {"schema": {"type": "string", "description": "The file."}}}}
}

_definitions = APIRouter(prefix=PREFIX, route_class=DefinitionRoute)
_stored = APIRouter(prefix=PREFIX, route_class=StrictRoute)

Key = Annotated[
    str,
    Header(
        max_length=200, description="Sent again under the same key, it is the execution of the first time."
    ),
]
Number = Annotated[int, Query(ge=0, description="Which version; else the one in force.")]


@_definitions.post("", status_code=201, response_model=WorkflowSaved, openapi_extra=AS_YAML)
async def save_workflow(body: SaveRequest, given: Given, asked: Asked, response: Response) -> dict[str, Any]:
    """Store a workflow under its name and put it in force: 201, or 200 where it was a version already.

    A mistake is `invalid_definition` with every problem by code, place and fix.
    """
    found, told = await _saved(body, given, asked)
    response.status_code = 201 if found.is_new else 200
    return told


@_definitions.put("/{workflow_id:path}", response_model=WorkflowSaved, openapi_extra=AS_YAML)
async def replace_workflow(workflow_id: str, body: SaveRequest, given: Given, asked: Asked) -> dict[str, Any]:
    """Put other content in force under the name of a workflow that is there; what runs stays on its own."""
    tenant = spoken_for(given, asked, body.org_id, body.tenant_id)
    _, told = await _saved(body, given, asked, given.library.find(tenant, workflow_id).name)
    return told


@_definitions.post("/validate", response_model=Validated, openapi_extra=AS_YAML)
async def validate_workflow(body: WorkflowRequest, given: Given) -> dict[str, Any]:
    """Every mistake in a workflow, and advice on one without mistakes; nothing is stored."""
    try:
        found = inspect_written(_written(body), given.registry, known_agents=body.known_agents)
    except InvalidDefinition as error:
        problems = [one for one in error.problems if isinstance(one, Problem)]
        return {**_NOT_VALID, "problems": _findings(problems)}
    return {
        "valid": True,
        "name": found.definition.name,
        "content_hash": found.definition.content_hash,
        "problems": [],
        "warnings": _findings(found.warnings),
    }


@_stored.get("", response_model=WorkflowList)
async def list_workflows(given: Given, asked: Asked, limit: Limit = 100) -> dict[str, Any]:
    """The stored workflows of an organization, by name."""
    rows = given.library.rows(spoken_for(given, asked))
    return {"workflows": [_line(given, row) for row in rows[:limit]], "total": len(rows)}


@_stored.post("/execute", status_code=202, response_model=Executing)
async def execute_workflow(
    body: ExecuteRequest, given: Given, asked: Asked, idempotency_key: Key = ""
) -> dict[str, Any]:
    """Start a stored workflow, or one that comes with the request; it runs in the background."""
    if body.workflow_id is not None and body.definition is None:
        return await _executed(body.workflow_id, body, given, asked, idempotency_key)
    if body.definition is None or body.workflow_id is not None or body.version is not None:
        raise InvalidInput(
            "The request names no workflow, or not one alone.",
            fix="Send workflow_id (with version or without), or definition.",
            field="workflow_id",
        )
    tenant = spoken_for(given, asked, body.org_id, body.tenant_id)
    definition = given.library.check(body.definition)
    execution_id = await given.starter.start_written(
        definition, body.input, tenant=tenant, key=idempotency_key, **_wishes(body, given)
    )
    return _executing(given, execution_id)


@_stored.post("/{workflow_id:path}/execute", status_code=202, response_model=Executing)
async def execute_stored_workflow(
    workflow_id: str, given: Given, asked: Asked, body: Execute | None = None, idempotency_key: Key = ""
) -> dict[str, Any]:
    """Start a stored workflow; it runs in the background."""
    return await _executed(workflow_id, body or Execute(), given, asked, idempotency_key)


@_stored.get("/{workflow_id:path}/versions", response_model=VersionList)
async def list_versions(workflow_id: str, given: Given, asked: Asked, limit: Limit = 100) -> dict[str, Any]:
    """Every version of a workflow, newest first: by whom, when and why."""
    row = given.library.find(spoken_for(given, asked), workflow_id)
    versions = given.library.versions(row.tenant, row.name)[::-1]
    shown = [
        {**plain(one), "saved_at": iso(one.saved_at), "in_force": one.version == row.version}
        for one in versions[:limit]
    ]
    return {"id": _id(given, row), "versions": shown, "total": len(versions)}


@_stored.get("/{workflow_id:path}/diff", response_model=DifferenceModel)
async def compare_versions(
    workflow_id: str,
    given: Given,
    asked: Asked,
    before: Annotated[int, Query(ge=1, description="A version.")],
    after: Number = 0,
) -> dict[str, Any]:
    """What one version changed in another."""
    row = given.library.find(spoken_for(given, asked), workflow_id)
    found = given.library.diff(row.tenant, row.name, before, after)
    return {
        "id": _id(given, row),
        "before": found.before.version,
        "after": found.after.version,
        "changes": plain(found.changes),
        "text": found.text,
    }


@_stored.post("/{workflow_id:path}/versions/{version}/activate", response_model=WorkflowLine)
async def activate_version(
    workflow_id: str, version: int, given: Given, asked: Asked, body: ActivateRequest | None = None
) -> dict[str, Any]:
    """Put another version in force; what runs stays on its own."""
    wish, tenant = body or ActivateRequest(), spoken_for(given, asked)
    actor = wish.actor or given.actor
    return _line(
        given, await given.library.rollback(tenant, workflow_id, version, actor=actor, note=wish.note)
    )


@_stored.post("/{workflow_id:path}/pause", response_model=WorkflowLine)
async def pause_workflow(
    workflow_id: str, given: Given, asked: Asked, body: ControlRequest | None = None
) -> dict[str, Any]:
    """Start no more executions of a workflow, by hand or by its triggers; those that run go on."""
    wish, tenant = body or ControlRequest(), spoken_for(given, asked)
    actor = wish.actor or given.actor
    return _line(given, await given.library.pause(tenant, workflow_id, actor=actor, reason=wish.reason))


@_stored.post("/{workflow_id:path}/resume", response_model=WorkflowLine)
async def resume_workflow(
    workflow_id: str, given: Given, asked: Asked, body: ControlRequest | None = None
) -> dict[str, Any]:
    """Let a workflow start executions again."""
    wish, tenant = body or ControlRequest(), spoken_for(given, asked)
    return _line(given, await given.library.resume(tenant, workflow_id, actor=wish.actor or given.actor))


@_stored.get("/{workflow_id:path}", response_model=WorkflowModel)
async def read_workflow(workflow_id: str, given: Given, asked: Asked, version: Number = 0) -> dict[str, Any]:
    """A workflow: the version in force, or another."""
    found = given.library.get(spoken_for(given, asked), workflow_id, version)
    return {
        "id": _id(given, found.row),
        "name": found.row.name,
        "type": found.definition.type,
        "description": found.definition.description,
        "org_id": found.row.tenant,
        "status": found.row.state,
        "in_force": found.row.version,
        "version": found.version.version,
        "content_hash": found.version.content_hash,
        "definition": definition_to_dict(found.definition)["workflow"],
        "source": found.source,
    }


async def _saved(
    body: SaveRequest, given: Services, asked: str | None, name: str = ""
) -> tuple[Saved, dict[str, Any]]:
    """What was saved and what is told of it; raises `InvalidInput` where it is of another name than given."""
    tenant, written = spoken_for(given, asked, body.org_id, body.tenant_id), _written(body)
    found = inspect_written(written, given.registry, known_agents=body.known_agents)
    if name and found.definition.name != name:
        raise InvalidInput(
            f"That is {found.definition.name!r}, not {name!r}.",
            fix="Keep the name, or POST it as a workflow of its own.",
            field="name",
        )
    saved = await given.library.save(
        written if isinstance(written, str) else found.definition,
        tenant=tenant,
        actor=body.actor or given.actor,
        note=body.note,
        known_agents=body.known_agents,
    )
    row = given.library.find(tenant, saved.name)
    return saved, {
        **plain(saved),
        "id": _id(given, row),
        "description": found.definition.description,
        "type": found.definition.type,
        "status": row.state,
        "org_id": tenant,
        "warnings": _findings(found.warnings),
    }


async def _executed(
    workflow_id: str, wish: Execute, given: Services, asked: str | None, key: str
) -> dict[str, Any]:
    execution_id = await given.starter.start_stored(
        workflow_id,
        wish.input,
        tenant=spoken_for(given, asked, wish.org_id, wish.tenant_id),
        version=wish.version or 0,
        key=key,
        **_wishes(wish, given),
    )
    return _executing(given, execution_id)


def _wishes(wish: Execute, given: Services) -> Wishes:
    return {
        "actor": wish.actor or given.actor,
        "autonomy": wish.autonomy,
        "budget": wish.budget,
        "trigger": wish.trigger_type,
    }


def _executing(given: Services, execution_id: str) -> dict[str, Any]:
    started, status = given.engine.read(execution_id).started, given.engine.row(execution_id).status
    tenant = started.passport.tenant
    return {
        "execution_id": execution_id,
        "workflow_id": given.library.id_of(tenant, started.workflow),
        "workflow_version": given.library.version_of(tenant, started.workflow, started.definition),
        "org_id": tenant,
        "status": status,
        "trigger_type": started.trigger,
    }


def _written(body: WorkflowRequest) -> str | Mapping[str, Any]:
    """The definition of a body, in whichever of its forms it came; raises `InvalidInput` where it is two."""
    sent = {**vars(body), **(body.model_extra or {})}
    beside = {name: sent[name] for name in sent if name in body.model_fields_set - NOT_DEFINITION}
    if body.definition is None:
        return beside
    inner = body.definition
    allowed = BESIDE_DEFINITION if isinstance(inner, dict) else set()
    twice = [name for name in beside if name not in allowed or (isinstance(inner, dict) and name in inner)]
    if twice:
        raise InvalidInput(
            f"The workflow comes in two forms: {twice[0]} and definition.",
            fix="Send its keys at the top level, or in definition.",
            field=twice[0],
        )
    return {**beside, **inner} if isinstance(inner, dict) else inner


def _line(given: Services, row: WorkflowRow) -> dict[str, Any]:
    return {
        **plain(row),
        "id": _id(given, row),
        "org_id": row.tenant,
        "status": row.state,
        "changed_at": iso(row.changed_at),
    }


def _id(given: Services, row: WorkflowRow) -> str:
    return given.library.id_of(row.tenant, row.name)


def _findings(found: Iterable[Problem]) -> list[dict[str, Any]]:
    return [finding_told(one) for one in [*found][:SHOWN_MAX]]


_NOT_VALID: dict[str, Any] = {"valid": False, "name": None, "content_hash": None, "warnings": []}

router = APIRouter(prefix="/api/v1", tags=["workflows"])
router.include_router(_definitions)
router.include_router(_stored)
