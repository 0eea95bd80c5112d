"""Where each agent runs, and whether it answers: told without the engine's own life depending on it."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest

from dirigent import Dirigent, Registry
from dirigent.api.app import create_app
from dirigent.settings import read_settings
from tests.acceptance.terminal import dirigent
from tests.acceptance.wire import EXAMPLES, client_of
from tests.remote.bench import ADDRESS, COPIES, KEY, NEXT_KEY, Press, Said, bench, caller_settings

PRINTED = json.loads((EXAMPLES / "002-02-agents.json").read_text())["agents"]
SURROUNDINGS = dict(line.split("=", 1) for line in (EXAMPLES / "002-04-environment.env").read_text().split())


async def told(of: Dirigent, path: str) -> httpx2.Response:
    """An answer of the engine's own interface."""
    async with client_of(create_app(of.services())) as client:
        return await client.get(path)


async def test_online_and_offline(tmp_path: Path) -> None:
    """Health and the list of agents say where it runs and whether it answers; life and readiness stay."""
    COPIES.reset()
    async with bench(tmp_path) as press:
        listed = (await told(press.dirigent, "/api/v1/agents/press")).json()
        assert (listed["status"], listed["transport"], listed["address"]) == ("online", "http", ADDRESS)
        assert (await told(press.dirigent, "/api/are/health")).json()["components"]["agent:press"] == "online"
    async with bench(tmp_path) as press:
        press.wire.app = None
        health = await told(press.dirigent, "/api/are/health")
        assert (health.status_code, health.json()["status"]) == (200, "healthy")
        assert health.json()["components"]["agent:press"] == f"offline: {ADDRESS} cannot be reached"
        agents = (await told(press.dirigent, "/api/v1/agents")).json()["agents"]
        states = {line["type"]: (line["status"], line["address"]) for line in agents}
        assert states["press"] == ("offline", ADDRESS)
        assert states["notifier"] == ("online", None)
        assert (await told(press.dirigent, "/health/ready")).status_code == 200
        asked = len(press.wire.requests)
        assert (await told(press.dirigent, "/health")).json() == {"status": "healthy"}
    assert len(press.wire.requests) == asked == 1


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (Said(401), "does not accept the key"),
        (Said(404), "does not serve this agent"),
        (Said(500), "answers 500"),
    ],
)
async def test_somebody_else_answers(tmp_path: Path, said: Said, detail: str) -> None:
    """What answers at the address and does not serve the agent is an error, not online."""
    async with bench(tmp_path) as press:
        press.wire.instead = [said]
        await press.dirigent.servers.look()
        component = press.dirigent.health()["components"]["agent:press"]
    assert (component["status"], component["detail"]) == ("error", f"{ADDRESS} {detail}")


async def test_a_server_with_another_key(tmp_path: Path) -> None:
    """It is seen before a step needs it."""
    async with bench(tmp_path, there={"DIRIGENT_AGENT_KEY": NEXT_KEY}) as press:
        await press.dirigent.servers.look()
        assert press.dirigent.health()["components"]["agent:press"]["status"] == "error"


def test_each_printed_agent_has_its_variable_and_default() -> None:
    """As printed, in the catalogue of agents and in the surroundings; any other has one made of its key."""
    settings = read_settings(environment={})
    for agent in PRINTED:
        assert settings.agent_variable(agent["type"]) == agent["env"]
        assert settings.agent_default(agent["type"]) == agent["default"] == SURROUNDINGS[agent["env"]]
    assert settings.agent_variable("lead_scorer") == "LEAD_SCORER_AGENT_URL"
    assert settings.agent_default("lead_scorer") == ""


async def test_the_configuration_shows_the_defaults(tmp_path: Path) -> None:
    """Unset, every agent runs here and the printed defaults are told; set, the address is in use."""
    settings = read_settings(environment={}, folder=tmp_path, data_folder=tmp_path / "unset")
    async with Dirigent(settings=settings) as unset:
        shown = (await told(unset, "/api/are/config")).json()["agents"]
        assert {key: line["default"] for key, line in shown.items()} == {
            agent["type"]: agent["default"] for agent in PRINTED
        }
        assert {line["address"] for line in shown.values()} == {None}
        assert not unset.servers.servers
    given = read_settings(environment=SURROUNDINGS, folder=tmp_path, data_folder=tmp_path / "set")
    async with Dirigent(settings=given) as engine:
        shown = (await told(engine, "/api/are/config")).json()
    there = {agent["type"] for agent in PRINTED} & {spec.key for spec in engine.registry.specs()}
    assert "notifier" in there
    for agent in PRINTED:
        assert shown["env"][agent["env"]] == agent["default"]
        in_use = shown["agents"][agent["type"]]["address"]
        assert in_use == (agent["default"] if agent["type"] in there else None)


def test_an_agent_that_is_registered_later_runs_at_its_server(tmp_path: Path) -> None:
    """The address counts, whenever the agent comes."""
    engine = Dirigent(settings=caller_settings(tmp_path, PRESS_AGENT_URL=ADDRESS))
    assert not engine.servers.servers
    engine.registry.register(Press)
    assert [server.address for server in engine.servers.servers.values()] == [ADDRESS]
    assert type(engine.registry.action("press", "count")) is not type(
        Registry([Press]).action("press", "count")
    )


def test_the_command_line_says_where_an_agent_runs(tmp_path: Path) -> None:
    """`dirigent agents` asks the server; here nobody answers."""
    surroundings = {"NOTIFIER_AGENT_URL": "http://127.0.0.1:1", "DIRIGENT_AGENT_KEY": KEY}
    listed = dirigent("agents", data=tmp_path, **surroundings)
    assert "notifier runs at http://127.0.0.1:1: offline" in listed.out
    one = dirigent("agents", "notifier", data=tmp_path, **surroundings)
    assert "at http://127.0.0.1:1: offline" in " ".join(one.out.split())
    described = dirigent("agents", "notifier", "-o", "json", data=tmp_path, **surroundings).data
    assert described["address"] == "http://127.0.0.1:1"
    assert described["state"].startswith("offline")
    here = dirigent("agents", "notifier", data=tmp_path)
    assert "in this process" in here.out
    wrong = dirigent("agents", data=tmp_path, NOTIFIER_AGENT_URL="localhost:8084")
    assert (wrong.code, "NOTIFIER_AGENT_URL" in wrong.err) == (2, True)
