"""The printed workflow and one of each type, run as they are by whoever registers the agents they name."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from dirigent import Dirigent, Effect, Risk, Workflow, action, agent
from dirigent.domain.errors import TransientError
from dirigent.domain.event import StepFailed, StepStarted, TimerFired
from dirigent.interpreter.reading import Reading
from dirigent.settings import Settings
from dirigent.testing.frozen_clock import FrozenClock

FIXTURES = Path(__file__).parents[1] / "fixtures"
PRINTED = FIXTURES / "002-01-content-creation-workflow.yaml"
BY_TYPE = yaml.safe_load((FIXTURES / "002-16-workflow-types.yaml").read_text())["workflows"]
INPUT = {"brand_id": "b-1", "content_topic": "espresso"}


@agent("social-media-content", domain="content")
class Content:
    """Writes content of a quality that is given, after so many lost connections."""

    def __init__(self, quality: float = 80.0, *, losses: int = 0, meet: int = 0) -> None:
        self.quality = quality
        self.losses = losses
        self.together = asyncio.Barrier(meet) if meet else None

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def create_content(self, platforms: list[str] | None = None) -> dict[str, Any]:
        """Write; where several are to overlap, wait until all are there."""
        if self.together is not None:
            await self.together.wait()
        if self.losses:
            self.losses -= 1
            raise TransientError("the connection was lost")
        return {"content": [f"for {name}" for name in platforms or ["all"]], "quality_score": self.quality}

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def enhance_content(self) -> dict[str, Any]:
        """Write better."""
        return {"content": ["better"], "quality_score": 90.0}


@agent("feedback-analyst", domain="content")
class Feedback:
    """Says how people feel."""

    def __init__(self, sentiment: float = 0.0) -> None:
        self.sentiment = sentiment

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def analyze_feedback(self) -> dict[str, float]:
        """The feeling, -1 to 1."""
        return {"sentiment": self.sentiment}

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def generate_response(self) -> str:
        """Thank them."""
        return "thank you"

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def categorize_feedback(self) -> str:
        """What it is about."""
        return "taste"


@agent("inventory", domain="shop")
class Inventory:
    """Knows the stock."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def check_stock(self) -> dict[str, int]:
        """What there is."""
        return {"on_hand": 7}


@agent("notifier", domain="shop")
class Notifier:
    """Tells people."""

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def update_status(self) -> str:
        """Say how it stands."""
        return "told"

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def create_alert(self) -> str:
        """Say that something is wrong."""
        return "alert"

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def send_notification(self) -> str:
        """Say it."""
        return "sent"


def _dirigent(folder: Path, *agents: object, clock: FrozenClock | None = None) -> Dirigent:
    stand_ins: tuple[object, ...] = (Content(), Feedback(), Inventory(), Notifier(), *agents)
    given = {type(one): one for one in stand_ins}
    return Dirigent(settings=Settings(data_folder=folder), agents=list(given.values()), clock=clock)


async def _printed(folder: Path, *agents: object, input: dict[str, Any] | None = None) -> Reading:
    async with _dirigent(folder, *agents) as dirigent:
        return await dirigent.run(PRINTED, INPUT if input is None else input)


def _one(name: str, dirigent: Dirigent) -> Workflow:
    found = next(entry["workflow"] for entry in BY_TYPE if entry["workflow"]["name"] == name)
    return Workflow.parse(yaml.safe_dump({"workflow": found}), actions=dirigent.registry.known_actions())


@pytest.mark.parametrize(
    ("quality", "optimized", "passed"), [(60.0, "succeeded", False), (80.0, "skipped", True)]
)
async def test_the_printed_workflow(tmp_path: Path, quality: float, optimized: str, passed: bool) -> None:
    """Content of little quality is improved, good content is left as it is; both runs complete."""
    reading = await _printed(tmp_path, Content(quality))
    statuses = {name: step.status for name, step in reading.steps.items()}
    assert reading.status == "completed"
    assert statuses["generate_content"] == "succeeded"
    assert reading.steps["quality_gate"].output == {"result": passed}
    assert statuses["optimize_content"] == optimized


async def test_the_printed_workflow_without_its_brand(tmp_path: Path) -> None:
    """What is missing is named, and nothing is generated."""
    reading = await _printed(tmp_path, input={"content_topic": "espresso"})
    error = reading.steps["validate_input"].error
    assert reading.status == "failed"
    assert error is not None
    assert error.message == "missing: ['brand_id']"
    assert "generate_content" not in reading.steps or reading.steps["generate_content"].status == "skipped"


async def test_the_printed_retries(tmp_path: Path) -> None:
    """Two lost connections: three attempts, the second wait twice the first but for the jitter."""
    clock = FrozenClock()
    async with _dirigent(tmp_path, Content(losses=2), clock=clock) as dirigent:
        execution_id = await dirigent.intake.run_workflow(dirigent.workflow(PRINTED), INPUT)
        resting = asyncio.ensure_future(dirigent.engine.rest(execution_id))
        while not resting.done():
            await asyncio.sleep(0)
            clock.move(10)
        events = dirigent.engine.events(execution_id)
    assert resting.result().status == "completed"
    begun = [event for event in events if isinstance(event, StepStarted) and event.step == "generate_content"]
    assert [event.attempt for event in begun] == [1, 2, 3]
    failed = [event.at for event in events if isinstance(event, StepFailed)]
    fired = [event.at for event in events if isinstance(event, TimerFired)]
    first, second = (until - since for since, until in zip(failed, fired, strict=True))
    assert 1.6 < second / first < 2.5


async def test_the_printed_time_limit(tmp_path: Path) -> None:
    """Content that does not come in time, five minutes or any other limit, fails the step by its own code."""
    text = PRINTED.read_text(encoding="utf-8")
    assert text.count('timeout: "5m"') == text.count("max_attempts: 3") == 1
    hasty = text.replace('"5m"', '"20ms"').replace("max_attempts: 3", "max_attempts: 1")
    async with _dirigent(tmp_path, Content(meet=2)) as dirigent:
        reading = await dirigent.run(Workflow.parse(hasty), INPUT)
    error = reading.steps["generate_content"].error
    assert reading.status == "failed"
    assert error is not None
    assert error.code == "step_timeout"


async def test_the_printed_schedule(tmp_path: Path) -> None:
    """At nine on workdays and not on Saturday; a run of it has no input, and says what is missing."""
    friday = datetime(2026, 11, 20, 8, 59, tzinfo=UTC)
    clock = FrozenClock(round(friday.timestamp() * 1000))
    async with _dirigent(tmp_path, clock=clock) as dirigent:
        dirigent.arm(PRINTED)
        for _ in range(2 * 24 * 60):
            clock.move(60_000)
            await dirigent.triggers.schedules.rest()
        rows = dirigent.engine.executions()
        readings = [await dirigent.engine.rest(row.execution_id) for row in rows]
    times = [datetime.fromtimestamp(reading.started.at / 1000, UTC) for reading in readings]
    assert [f"{moment:%A}" for moment in times] == ["Friday"]
    assert readings[0].started.trigger == "schedule"
    assert readings[0].status == "failed"
    error = readings[0].steps["validate_input"].error
    assert error is not None
    assert error.message == "missing: ['brand_id', 'content_topic']"


async def test_the_printed_event(tmp_path: Path) -> None:
    """One run for the event that is named, none for any other."""
    async with _dirigent(tmp_path) as dirigent:
        dirigent.arm(PRINTED)
        event = {"source": "crm", "data": INPUT}
        asked = await dirigent.publish({"type": "campaign.content_requested", **event})
        assert not (await dirigent.publish({"type": "campaign.content_published", **event})).triggered
        (execution_id,) = asked.triggered
        reading = await dirigent.engine.rest(execution_id)
        assert (reading.status, reading.started.trigger) == ("completed", "event")
        assert len(dirigent.engine.executions()) == 1


async def test_the_printed_workflow_is_stored_as_it_is(tmp_path: Path) -> None:
    """Every byte is kept; four steps and three ways between them."""
    async with _dirigent(tmp_path) as dirigent:
        text = PRINTED.read_text(encoding="utf-8")
        saved = await dirigent.library.save(text, tenant="default", actor="ann")
        stored = dirigent.library.get("default", "AI-Powered Content Creation")
        assert saved.version == 1
        assert (len(stored.definition.steps), len(stored.definition.connections)) == (4, 3)


async def test_a_sequence_waits_at_its_approval(tmp_path: Path) -> None:
    """One after the other, until a person is asked."""
    async with _dirigent(tmp_path) as dirigent:
        reading = await dirigent.run(_one("seq approval", dirigent), {"x": 1})
        assert reading.status == "awaiting_approval"
        assert [step.status for step in reading.steps.values()] == ["succeeded", "succeeded", "waiting"]
        [asked] = dirigent.engine.approvals()
        await dirigent.engine.approve(asked.approval_id, "an approver")
        assert (await dirigent.engine.rest(reading.execution_id)).status == "completed"


async def test_parallel_steps_overlap(tmp_path: Path) -> None:
    """Each of the three waits for the two others, so all are there at once."""
    async with _dirigent(tmp_path, Content(meet=3)) as dirigent:
        reading = await dirigent.run(_one("multi-platform publish", dirigent))
    assert reading.status == "completed"
    assert len(reading.steps) == 3


@pytest.mark.parametrize(
    ("sentiment", "runs", "skipped"), [(-0.9, "escalate", "thank"), (0.4, "thank", "escalate")]
)
async def test_a_condition_takes_exactly_one_branch(
    tmp_path: Path, sentiment: float, runs: str, skipped: str
) -> None:
    """Bad feedback is escalated, good is answered with thanks; never both."""
    async with _dirigent(tmp_path, Feedback(sentiment)) as dirigent:
        reading = await dirigent.run(_one("quality gate", dirigent))
    assert reading.status == "completed"
    assert (reading.steps[runs].status, reading.steps[skipped].status) == ("succeeded", "skipped")


async def test_an_event_driven_workflow_runs_by_hand_too(tmp_path: Path) -> None:
    """Its trigger is an event; a person may still start it."""
    async with _dirigent(tmp_path) as dirigent:
        reading = await dirigent.run(_one("feedback reaction", dirigent))
    assert (reading.status, reading.output) == ("completed", "taste")


async def test_one_run_for_each_event(tmp_path: Path) -> None:
    """Two events are two runs; the same one again is none."""
    async with _dirigent(tmp_path) as dirigent:
        dirigent.arm(_one("feedback reaction", dirigent))
        for name in ("e1", "e2", "e1"):
            await dirigent.publish({"type": "feedback.received", "source": "shop", "id": name})
        readings = [await dirigent.engine.rest(row.execution_id) for row in dirigent.engine.executions()]
    assert [reading.status for reading in readings] == ["completed", "completed"]


@pytest.mark.parametrize(("quality", "told"), [(80.0, "succeeded"), (60.0, "skipped")])
async def test_a_mix_of_types(tmp_path: Path, quality: float, told: str) -> None:
    """Two run at once, the gate joins both, and what follows depends on it."""
    async with _dirigent(tmp_path, Content(quality)) as dirigent:
        reading = await dirigent.run(_one("campaign", dirigent), {"brand_id": "b-1"})
    assert reading.status == "completed"
    assert [reading.steps[name].status for name in ("g1", "g2")] == ["succeeded", "succeeded"]
    assert reading.steps["n"].status == told
