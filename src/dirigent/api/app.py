"""The application: routers, edge and errors put together.

There is no authentication yet. The server therefore listens on 127.0.0.1 only, answers only under the
names of this machine, and takes no change from pages of other origins; whoever can reach its port
may do everything, for every organization. `org_id` filters what is shown, it protects nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from dirigent.api import (
    agents,
    approvals,
    connectors,
    events,
    executions,
    goals,
    health,
    live,
    steering,
    triggers,
    webhooks,
    workflows,
)
from dirigent.api.agent_key import AgentKeyOnly
from dirigent.api.calls import calls_router
from dirigent.api.edge import OwnPagesOnly, RequestIds
from dirigent.api.problems import MEDIA_TYPE, Problem, use_problems
from dirigent.api.services import Services
from dirigent.intake.served_calls import ServedCalls

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

DESCRIPTION = """\
Hand in goals, watch executions, decide approvals, call agents.

**There is no authentication yet.** The server listens on 127.0.0.1 only. Whoever can reach its port may do
everything, for every organization; `org_id` (or the header `X-Org-Id`) filters what is shown and protects
nothing. Do not put it on a network.

Every error is a problem document (RFC 9457) with a `code`, `guidance` and a `correlation_id`, the id of the
request. A body is strict JSON in UTF-8 of at most 1 MB.

`/ws?channels=executions,agents,alerts` is a WebSocket that tells what happens while it happens.
"""
AGENT_DESCRIPTION = """\
One agent as a server of its own, for engines to call.

Every address but `GET /health` asks for a key: `Authorization: Bearer KEY`. Who has one may speak for every
organization. Every error is a problem document (RFC 9457).
"""
PROBLEM_REFERENCE = {"$ref": "#/components/schemas/Problem"}
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "The request cannot be done; `guidance` says what to do."},
    "5XX": {
        "model": Problem,
        "description": "The server or an agent failed; `correlation_id` is in the log.",
    },
}


def create_app(services: Services, lifespan: Lifespan | None = None) -> FastAPI:
    """The HTTP interface over running services."""
    reactions = (events, webhooks, connectors, triggers)
    subjects = (goals, workflows, executions, steering, approvals, agents, *reactions, health, live)
    app = _app(services, lifespan)
    for subject in subjects:
        app.include_router(subject.router)
    return app


def create_agent_app(services: Services, served: ServedCalls, keys: Sequence[str]) -> FastAPI:
    """The HTTP interface of a process that serves one agent. All of it asks for a key; see `AgentKeyOnly`."""
    app = _app(services, None, Middleware(AgentKeyOnly, keys=keys), description=AGENT_DESCRIPTION)
    for subject in (executions, steering, approvals, agents, health):
        app.include_router(subject.router)
    app.include_router(calls_router(served))
    return app


def _app(
    services: Services, lifespan: Lifespan | None, *guards: Middleware, description: str = DESCRIPTION
) -> FastAPI:
    app = FastAPI(
        title="Dirigent",
        version=services.version,
        description=description,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses=ERRORS,
        generate_unique_id_function=_operation_id,
        middleware=[Middleware(RequestIds), Middleware(OwnPagesOnly, hosts=services.hosts), *guards],
    )
    app.state.services = services
    use_problems(app)
    describe = app.openapi
    app.openapi = lambda: _with_problem_type(describe())  # type: ignore[method-assign]
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _with_problem_type(document: dict[str, Any]) -> dict[str, Any]:
    """The document with problems under their own media type, which FastAPI cannot be told."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                _rename(response.get("content", {}))
    return document


def _rename(content: dict[str, Mapping[str, Any]]) -> None:
    body = content.get("application/json")
    if body is not None and body.get("schema") == PROBLEM_REFERENCE:
        content[MEDIA_TYPE] = content.pop("application/json")
