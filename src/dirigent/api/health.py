"""Health in three views over one model, and the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from dirigent.api.health_models import Alive, ConfigView, Health
from dirigent.api.services import Given, Services

BELOW_FULL = "deterministic provider"
UNHEALTHY: dict[int | str, dict[str, Any]] = {
    503: {"model": Health, "description": "A required component is down."}
}

Verbose = Annotated[bool, Query(description="Every component, as /health/ready tells it.")]

router = APIRouter(tags=["health"])


@router.get("/health", response_model=Health | Alive, responses=UNHEALTHY)
async def alive(given: Given, response: Response, verbose: Verbose = False) -> dict[str, Any]:
    """Whether the process answers; it asks nothing else, unless every component is wanted."""
    return await _health(given, response) if verbose else {"status": "healthy"}


@router.get("/health/ready", response_model=Health, responses=UNHEALTHY)
async def ready(given: Given, response: Response) -> dict[str, Any]:
    """Whether it can take work: 503 while a required component is down."""
    return await _health(given, response)


@router.get("/api/are/health", response_model=Health, responses=UNHEALTHY)
async def read_health(given: Given, response: Response) -> dict[str, Any]:
    """The system and each of its components."""
    return await _health(given, response)


@router.get("/api/are/config", response_model=ConfigView)
async def read_config(given: Given) -> dict[str, Any]:
    """The configuration in force, secrets masked."""
    return given.config()


async def _health(given: Services, response: Response) -> dict[str, Any]:
    await given.look()
    facts = given.health()
    if facts["status"] == "unhealthy":
        response.status_code = 503
    components = {name: _shown(component) for name, component in facts["components"].items()}
    return {**{name: facts[name] for name in ("status", "version", "uptime_s")}, "components": components}


def _shown(component: Mapping[str, str]) -> str:
    """`online` alone; with its reason whatever is less, such as the rules that stand in for a model."""
    status, detail = component["status"], component["detail"]
    if status != "online":
        return f"{status}: {detail}"
    return f"degraded: {detail}" if detail == BELOW_FULL else status
