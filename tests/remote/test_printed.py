"""The agents that are printed with an address: each as a server there, and used from a workflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dirigent import Dirigent
from dirigent.agents.catalogue import catalogue
from dirigent.api.app import create_app
from dirigent.bootstrap.agent_server import AgentServer
from dirigent.execution.registry import Registry
from dirigent.interpreter.loading import definition_from
from dirigent.security.agent_keys import authorization
from dirigent.settings import read_settings
from tests.acceptance.wire import EXAMPLES
from tests.remote.bench import KEY, Wire

SHIPPED = {spec.key for spec in Registry(catalogue()).specs()}
PRINTED = {one["type"]: one for one in json.loads((EXAMPLES / "002-02-agents.json").read_text())["agents"]}
SERVED = sorted(SHIPPED & {*PRINTED})
# One action of each that a company without any records can have taken.
STEPS: dict[str, dict[str, Any]] = {
    "notifier": {"action": "create_alert", "parameters": {"message": "Stock is low"}},
    "social-media-content": {
        "action": "create_content",
        "parameters": {"brand_id": "b-1", "content_topic": "New Product Launch"},
    },
    "feedback-analyst": {
        "action": "analyze_feedback",
        "parameters": {"items": [{"id": "f-1", "text": "Great service, but the parcel came late."}]},
    },
    "inventory": {"action": "check_stock", "parameters": {}},
}


def settings_of(folder: Path, name: str, **environment: str) -> Any:
    """What one process is told."""
    given = {"DIRIGENT_AGENT_KEY": KEY, **environment}
    return read_settings(environment=given, folder=folder, data_folder=folder / name)


@pytest.mark.parametrize("agent", SERVED)
async def test_a_server_has_the_same_actions(tmp_path: Path, agent: str) -> None:
    """One process per agent: at its address it tells the actions of this agent as the engine does."""
    async with (
        AgentServer(agent, settings=settings_of(tmp_path, "there")) as server,
        Dirigent(settings=settings_of(tmp_path, "here")) as engine,
    ):
        seen = []
        for app in (server.app(), create_app(engine.services())):
            transport = httpx2.ASGITransport(app=app)
            base = PRINTED[agent]["default"]
            async with httpx2.AsyncClient(
                transport=transport, base_url=base, headers=authorization(KEY)
            ) as client:
                seen.append((await client.get(f"/api/v1/agents/{agent}")).json())
                listed = (await client.get("/api/v1/agents")).json()
            if len(seen) == 1:
                assert [line["type"] for line in listed["agents"]] == [agent]
    assert seen[0] == seen[1]
    assert {*PRINTED[agent]["actions"]} & {action["name"] for action in seen[0]["actions"]}


@pytest.mark.parametrize("agent", SERVED)
async def test_a_step_with_its_type_uses_the_printed_address(tmp_path: Path, agent: str) -> None:
    """With its variable as printed the step is taken there, and gives what it gives without it."""
    wire, step = Wire(), {"id": "act", "type": "agent", "agent_type": agent, **STEPS[agent]}
    definition = definition_from({"name": "act", "steps": [step]})
    address = {PRINTED[agent]["env"]: PRINTED[agent]["default"]}
    async with (
        AgentServer(agent, settings=settings_of(tmp_path, "there", **address)) as server,
        Dirigent(settings=settings_of(tmp_path, "here", **address), agent_transport=wire) as engine,
    ):
        wire.app = server.app()
        there = await engine.run(definition)
        [row] = server.engine.executions()
    [request] = wire.requests
    assert str(request.url) == f"{PRINTED[agent]['default']}/api/v1/agents/{agent}/calls"
    assert (there.status, row.status) == ("completed", "completed"), there.error
    async with Dirigent(settings=settings_of(tmp_path, "alone")) as alone:
        here = await alone.run(definition)
    assert shape(there.output) == shape(here.output)


def shape(value: Any) -> Any:
    """A value without what differs from run to run."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__ if isinstance(value, str) else value
