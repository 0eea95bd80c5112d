"""Health and configuration over HTTP."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import httpx2

from dirigent import Dirigent, __version__
from dirigent.api.app import create_app
from dirigent.settings import read_settings
from tests.acceptance.wire import EXAMPLES, client_of, differences, printed

SECRET = "sk-not-to-be-seen"


async def test_health_as_printed(http: httpx2.AsyncClient) -> None:
    """Every component that is printed, `online` or with its reason."""
    example = printed("000-09-get-are-health")
    answer = await example.send(http)
    assert answer.status_code == 200
    assert not differences(example.answer, answer.json())
    assert answer.json()["components"] == example.answer["components"]
    assert (answer.json()["status"], answer.json()["version"]) == ("healthy", __version__)


async def test_a_required_component_that_is_down(dirigent: Dirigent) -> None:
    """503 with its reason for health and readiness; that the process answers stays true."""
    broken = {
        "status": "unhealthy",
        "version": "1",
        "uptime_s": 1.0,
        "components": {"event_store": {"name": "event_store", "status": "error", "detail": "digest"}},
    }
    services = dataclasses.replace(dirigent.services(), health=lambda: broken)
    async with client_of(create_app(services)) as client:
        for path in ("/api/are/health", "/health/ready"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
            assert answer.json()["components"] == {"event_store": "error: digest"}
        assert (await client.get("/health")).json() == {"status": "healthy"}


async def test_alive_and_ready(http: httpx2.AsyncClient) -> None:
    """Liveness as printed; readiness says the same as health."""
    alive = await http.get("/health")
    assert (alive.status_code, alive.json()) == (200, {"status": "healthy"})
    assert (await http.get("/health/ready")).json()["status"] == "healthy"


async def test_the_engine_s_health_as_printed(http: httpx2.AsyncClient) -> None:
    """The short form; with `verbose=1` it is that of the whole system."""
    example = printed("002-05-health")
    answer = await example.send(http)
    assert (answer.status_code, answer.json()) == (200, example.answer)
    told, whole = (await http.get("/health?verbose=1")).json(), (await http.get("/api/are/health")).json()
    assert told["components"] == whole["components"]
    assert set(told) == set(whole)
    assert (await http.get("/health?verbose=perhaps")).status_code == 422


async def test_config_as_printed(tmp_path: Path) -> None:
    """The loaded file's values, the environment with secrets masked, and where each value is from."""
    environment = {
        "DIRIGENT_CONFIG": str(EXAMPLES / "000-04-are.config.json"),
        "REDIS_URL": "redis://localhost:6379",
        "OPENAI_API_KEY": SECRET,
    }
    settings = read_settings(environment=environment, data_folder=tmp_path)
    example = printed("000-11-get-config")
    async with Dirigent(settings=settings) as dirigent, client_of(create_app(dirigent.services())) as client:
        answer = await example.send(client)
        health = await client.get("/api/are/health")
    told = answer.json()
    assert told["config"] == json.loads((EXAMPLES / "000-04-are.config.json").read_text())
    assert example.answer["env"].items() <= told["env"].items()
    assert example.answer["sources"].items() <= told["sources"].items()
    assert SECRET not in answer.text + health.text
