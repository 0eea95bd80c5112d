"""Agents: which there are, what they take, and one action of one agent called directly."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from dirigent.api.agent_models import AgentDetail, AgentList, Executed, ExecuteRequest
from dirigent.api.bodies import StrictRoute
from dirigent.api.direct import answer_of
from dirigent.api.services import Given, Services
from dirigent.api.tenancy import Asked, joined
from dirigent.domain.agent import ActionSpec, AgentSpec
from dirigent.execution.registry import Registry

IN_PROCESS, HTTP = "in_process", "http"
HERE = "online"

router = APIRouter(tags=["agents"], route_class=StrictRoute)


@router.get("/api/v1/agents", response_model=AgentList)
async def list_agents(
    given: Given, domain: Annotated[str | None, Query(description="Only this business domain's.")] = None
) -> dict[str, Any]:
    """Every agent there is, by key."""
    await given.look()
    specs = [spec for spec in given.registry.specs() if domain in (None, spec.domain)]
    return {"agents": [_line(given, spec) for spec in specs], "total": len(specs)}


@router.get("/api/v1/agents/{agent_type}", response_model=AgentDetail)
async def read_agent(agent_type: str, given: Given) -> dict[str, Any]:
    """One agent, by key or alias, with the schemas of its actions."""
    await given.look()
    spec = given.registry.agent(agent_type)
    actions = [_action(given.registry, spec, action) for action in spec.actions.values()]
    return {**_named(given, spec), "max_concurrency": spec.max_concurrency, "actions": actions}


@router.post(
    "/api/are/agents/{agent_type}/execute",
    response_model=Executed,
    response_model_exclude_unset=True,
    responses={
        202: {"model": Executed, "description": "It waits for a person, or nobody knows its outcome."}
    },
)
async def execute_agent(
    agent_type: str, body: ExecuteRequest, given: Given, asked: Asked, response: Response
) -> dict[str, Any]:
    """Take one action of one agent, under the same checks as in any run, and wait for its result.

    202 where it waits for a person; 403 with the rules where it is refused.
    """
    action = given.registry.action(agent_type, body.action)
    tenant = joined(body.model_dump(include={"org_id"}), asked).get("org_id") or given.tenant
    reading = await given.intake.execute_action(agent_type, body.action, body.inputs, tenant=tenant)
    answer = answer_of(given.engine, action, reading)
    response.status_code = answer.status
    return answer.body


def _named(given: Services, spec: AgentSpec) -> dict[str, Any]:
    server = given.servers.get(spec.key)
    words = spec.key.replace("-", " ").replace("_", " ").split()
    return {
        "type": spec.key,
        "name": " ".join(word.capitalize() for word in words) + " Agent",
        "domain": spec.domain,
        "description": spec.description,
        "aliases": list(spec.aliases),
        "status": server.presence.state if server else HERE,
        "transport": HTTP if server else IN_PROCESS,
        "address": server.address if server else None,
    }


def _line(given: Services, spec: AgentSpec) -> dict[str, Any]:
    return {**_named(given, spec), "actions": list(spec.actions), "schemas": f"/api/v1/agents/{spec.key}"}


def _action(registry: Registry, spec: AgentSpec, action: ActionSpec) -> dict[str, Any]:
    found = registry.action(spec.key, action.name)
    return {
        "name": action.name,
        "description": action.description,
        "risk": action.risk.value,
        "effect": action.effect.value,
        "outward": action.outward,
        "cost": action.cost,
        "input_schema": found.input_schema(),
        "output_schema": found.output_schema(),
    }
