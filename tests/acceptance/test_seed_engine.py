"""What is printed for the engine beside workflows and HTTP: agents, surroundings and figures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import targets
from dirigent import Dirigent, Effect, Registry, Risk, action, agent
from dirigent.domain.errors import Conflict, InvalidInput
from dirigent.interpreter.loading import definition_from
from dirigent.settings import Settings, read_settings
from tests.acceptance.wire import EXAMPLES

LOAD = yaml.safe_load((EXAMPLES / "002-17-load-test.yaml").read_text())["scenarios"]
STEP = {"id": "write", "type": "agent", "agent_type": "social-media-content", "action": "create_content"}


class Remote:
    """What the printed agents are made with."""

    def __init__(self, url: str, http_client: object, logger: object) -> None:
        self.url = url


@agent("social-media-content", domain="content", aliases=("Social Media Content",))
class SocialMediaContentAgent(Remote):
    """Says where it would write."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def create_content(self) -> str:
        """The address it was given."""
        return self.url


@agent("feedback-analyst", domain="content")
class FeedbackAnalystAgent(Remote):
    """Says where it would read."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def analyze_feedback(self) -> str:
        """The address it was given."""
        return self.url


@agent("meeting", domain="test", max_concurrency=1000)
class Meeting:
    """Lets nobody go before all are there."""

    def __init__(self, expected: int) -> None:
        self.together = asyncio.Barrier(expected)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def meet(self) -> str:
        """Wait for all others."""
        await self.together.wait()
        return "met"


def _registered(registry: Registry) -> None:
    names: dict[str, Any] = {
        "AgentRegistry": lambda logger: registry,
        "SocialMediaContentAgent": SocialMediaContentAgent,
        "FeedbackAnalystAgent": FeedbackAnalystAgent,
        "logger": None,
        "http_client": None,
    }
    printed = (EXAMPLES / "002-03-agent-registration.py").read_text()
    exec(compile(printed, "002-03-agent-registration.py", "exec"), names)  # noqa: S102


async def test_agents_are_registered_as_printed(tmp_path: Path) -> None:
    """Steps with the type use the agent that was registered for it."""
    async with Dirigent(settings=Settings(data_folder=tmp_path)) as dirigent:
        _registered(dirigent.registry)
        reading = await dirigent.run(definition_from({"name": "w", "steps": [STEP]}))
    assert (reading.status, reading.output) == ("completed", "http://localhost:8081")


def test_a_type_is_registered_once() -> None:
    """A second one under it is refused unless it is to replace the first; then all of the first is gone."""
    registry = Registry()
    _registered(registry)
    second = SocialMediaContentAgent("http://elsewhere", None, None)
    with pytest.raises(Conflict, match="'social-media-content' already") as refused:
        registry.register_agent("social-media-content", second)
    assert "replace=True" in refused.value.fix
    registry.register_agent("Social Media Content", second, replace=True)
    assert [spec.key for spec in registry.specs()] == ["feedback-analyst", "social-media-content"]
    with pytest.raises(InvalidInput, match="not called 'inventory'"):
        registry.register_agent("inventory", second)


async def test_own_agents_take_the_place_of_shipped_ones_once(tmp_path: Path) -> None:
    """One of the caller's may replace what comes with Dirigent; two of the same key are a mistake."""

    @agent("writer", domain="test")
    class Writer:
        """Writes nothing."""

        @action(risk=Risk.R0, effect=Effect.PURE)
        async def rest(self) -> None:
            """Do nothing."""

    dirigent = Dirigent(settings=Settings(data_folder=tmp_path), agents=[Writer])
    assert list(dirigent.registry.agent("writer").actions) == ["rest"]
    with pytest.raises(Conflict, match="'writer' already"):
        Dirigent(settings=Settings(data_folder=tmp_path), agents=[Writer, Writer()])


def test_the_printed_surroundings_are_the_defaults(tmp_path: Path) -> None:
    """What is printed may be set, and of what Dirigent itself reads it is what holds when nothing is set."""
    lines = (EXAMPLES / "002-04-environment.env").read_text().split()
    environment = dict(line.split("=", 1) for line in lines)
    given = read_settings(environment=environment, folder=tmp_path)
    unset = read_settings(environment={}, folder=tmp_path)
    for settings in (given, unset):
        assert (settings.port, settings.log_level, settings.max_concurrent_workflows) == (8080, "info", 100)


async def test_services_that_are_named_and_not_there_are_told(tmp_path: Path) -> None:
    """With the printed surroundings on a machine with none of the services: SQLite, and health says so."""
    lines = (EXAMPLES / "002-04-environment.env").read_text().split()
    environment = dict(line.split("=", 1) for line in lines) | {"DIRIGENT_DATA": str(tmp_path / "data")}
    environment["REDIS_URL"] = "redis://ann:secret@localhost:6379"
    settings = read_settings(environment=environment, folder=tmp_path)
    async with Dirigent(settings=settings) as dirigent:
        database = dirigent.health()["components"]["database"]
        assert dirigent.health()["status"] == "healthy"
    assert database["status"] == "degraded"
    for name in ("SQLite", "DATABASE_URL", "REDIS_URL", "KAFKA_BROKERS"):
        assert name in database["detail"]
    shown = settings.shown()["env"]
    assert (shown["REDIS_URL"], shown["DATABASE_URL"]) == (
        "redis://***@localhost:6379",
        "postgres://localhost/orchestration",
    )


async def test_the_printed_hundred_are_at_work_at_once(tmp_path: Path) -> None:
    """Each of the hundred waits until all are there; none is lost."""
    (concurrency,) = (one for one in LOAD if one["name"] == "concurrency")
    number = concurrency["simultaneous"]
    step = {**STEP, "agent_type": "meeting", "action": "meet"}
    definition = definition_from({"name": "meet", "steps": [step]})
    async with Dirigent(settings=Settings(data_folder=tmp_path), agents=[Meeting(number)]) as dirigent:
        readings = await asyncio.gather(*(dirigent.run(definition) for _ in range(number)))
    assert [reading.output for reading in readings] == ["met"] * number


def test_every_printed_figure_has_a_target() -> None:
    """The benchmarks ask for at least what is printed."""
    printed = {one["name"]: one for one in LOAD}
    assert set(printed) == {"throughput", "concurrency", "create", "start", "step_overhead"}
    assert printed["throughput"]["target_per_minute"] <= targets.RUNS_A_MINUTE
    assert printed["create"]["p95_ms"] >= targets.CREATE_MS
    assert printed["start"]["p95_ms"] >= targets.WITH_A_HUNDRED_IN_FLIGHT_MS
    assert printed["step_overhead"]["p95_ms"] >= targets.STEP_MS
