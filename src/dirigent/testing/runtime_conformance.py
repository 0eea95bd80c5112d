"""What every runtime has to play in the same way: scenarios as data, in `dirigent.testing.scenarios`.

Subclass `RuntimeConformance`, say how a house over the runtime is made, and run pytest. A house holds an
engine, and has time in its hands: nothing in it takes any, but what the kit lets pass.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import ActionFailed, DirigentError, NotFound, TransientError
from dirigent.domain.event import Event
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine, Start
from dirigent.execution.registry import Registry
from dirigent.interpreter.loading import definition_from
from dirigent.interpreter.reading import Reading, read_execution
from dirigent.ports import Context
from dirigent.security.admission import action, agent
from dirigent.testing.frame import pytest
from dirigent.testing.scenarios import SCENARIOS
from dirigent.testing.scenarios.scenario import (
    AGENT,
    BROKEN,
    HANGS,
    REFUSED,
    TRANSIENT,
    UNSAID,
    Scenario,
    Told,
)

EXECUTION = "case"
TENANT = "org_kit"
REQUESTER = "requester"
SETTLING_S = 0.5

RESTARTED = tuple(scenario for scenario in SCENARIOS if scenario.told and not scenario.takes_time)

Asking = Callable[[Engine], Awaitable[Any]]


class House(Protocol):
    """An engine over the runtime under test, with its time in the kit's hands."""

    def ask(self, work: Asking) -> Any:
        """Do something with the engine and return its result; what it raises is raised."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass, on every clock that there is, and everything happen that happens in it."""
        ...

    def events(self, execution: str) -> list[Event]:
        """The durable events of an execution; none where there is no such execution."""
        ...

    def restart(self) -> None:
        """End the engine in an orderly way and begin it anew over what is durable."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


class Hands:
    """What the agents of one scenario do, and how often they were asked to, by step."""

    def __init__(self, scenario: Scenario) -> None:
        self.calls: Counter[str] = Counter()
        self._answers = scenario.answers
        self._done: dict[str, Any] = {}

    async def act(self, ctx: Context) -> Any:
        """The next answer of the step that asks."""
        name = ctx.step
        self.calls[name] += 1
        answers = self._answers.get(name, self._answers.get(name.partition("[")[0], ()))
        answer = answers[min(self.calls[name], len(answers)) - 1] if answers else {"ok": True}
        if answer == TRANSIENT:
            raise TransientError("Busy.")
        if answer == REFUSED:
            raise ActionFailed("No.")
        if answer == BROKEN:
            raise RuntimeError("a bug")
        if answer == HANGS:
            await asyncio.get_running_loop().create_future()
        if isinstance(answer, int | float):
            await asyncio.sleep(answer)
            answer = {"ok": True}
        self._done[name] = answer
        return answer

    def seen(self, name: str) -> Any:
        """What a step did; None where it did nothing."""
        return self._done.get(name.removesuffix("/lookup"))


def scripted_agents(hands: Hands) -> Registry:
    """The agent of every scenario: one action of each effect class, and one that is risky."""

    @agent(AGENT, domain="conformance")
    class Worker:
        @action(risk=Risk.R0, effect=Effect.PURE)
        async def think(self, ctx: Context, item: Any = None) -> Any:
            return await hands.act(ctx)

        @action(risk=Risk.R0, effect=Effect.READ)
        async def look(self, ctx: Context, item: Any = None) -> Any:
            return await hands.act(ctx)

        @action(risk=Risk.R1, effect=Effect.KEYED, cost=1.0)
        async def send(self, ctx: Context, item: Any = None) -> Any:
            return await hands.act(ctx)

        @action(risk=Risk.R1, effect=Effect.QUERYABLE, lookup="seen")
        async def book(self, ctx: Context, item: Any = None) -> Any:
            return await hands.act(ctx)

        @action(risk=Risk.R0, effect=Effect.READ)
        async def seen(self, ctx: Context, item: Any = None) -> Any:
            return hands.seen(ctx.step)

        @action(risk=Risk.R1)
        async def fire(self, ctx: Context, item: Any = None) -> Any:
            return await hands.act(ctx)

        @action(risk=Risk.R3, effect=Effect.KEYED)
        async def dare(self, ctx: Context, item: Any = None) -> Any:
            return await hands.act(ctx)

    return Registry([Worker])


def library_of(scenario: Scenario) -> Callable[[str, str], Definition]:
    """The workflows that a scenario's workflow may start by name."""
    definitions = {written["name"]: definition_from(written) for written in scenario.library}

    def find(tenant: str, name: str) -> Definition:
        if name not in definitions:
            raise NotFound(f"There is no workflow {name!r}.", code="workflow_not_found")
        return definitions[name]

    return find


class RuntimeConformance(ABC):
    """Plays every scenario, once straight on and once with a restart before everything that is told."""

    @abstractmethod
    def make_house(self, tmp_path: Path, scenario: Scenario, hands: Hands) -> House:
        """A house with `scripted_agents(hands)` and `library_of(scenario)`."""

    @pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
    def test_a_scenario_comes_out_as_said(self, tmp_path: Path, scenario: Scenario) -> None:
        """Status, steps, order of events and number of calls."""
        self._play(tmp_path, scenario, restarts=False)

    @pytest.mark.parametrize("scenario", RESTARTED, ids=lambda scenario: scenario.name)
    def test_a_restart_changes_nothing(self, tmp_path: Path, scenario: Scenario) -> None:
        """What is waited for is waited for by the next process, too."""
        self._play(tmp_path, scenario, restarts=True)

    def _play(self, tmp_path: Path, scenario: Scenario, *, restarts: bool) -> None:
        hands = Hands(scenario)
        house = self.make_house(tmp_path, scenario, hands)
        try:
            if _started(house, scenario):
                now = 0.0
                for each in scenario.told:
                    house.pass_time(each.at - now)
                    now = each.at
                    if restarts:
                        house.restart()
                    _tell(house, each)
                house.pass_time(scenario.lasts - now)
                judge(scenario, house.events(EXECUTION), hands.calls)
        finally:
            house.close()


def judge(scenario: Scenario, events: Sequence[Event], calls: Counter[str]) -> None:
    """Whether what came of a scenario is what has to."""
    reading = read_execution(list(events))
    said = list(map(named, events))
    assert _status(reading) == scenario.status, (reading.status, said)
    stood = {name: step.status for name, step in reading.steps.items()}
    found = {name: stood.get(name, "absent") for name in scenario.steps}
    assert found == dict(scenario.steps), said
    assert {name: calls[name] for name in scenario.calls} == dict(scenario.calls), said
    if scenario.output != UNSAID:
        assert reading.output == scenario.output, said
    if scenario.code:
        assert reading.error is not None, said
        assert reading.error.code == scenario.code, said
    rest = iter(said)
    missing = [name for name in scenario.order if name not in rest]
    assert not missing, (missing, said)
    assert not set(scenario.never) & set(said), said


def named(event: Event) -> str:
    """An event by its kind and what it is about: `StepStarted a`, `TimerFired wait:a`."""
    about = next((getattr(event, name) for name in ("timer", "step", "call") if getattr(event, name, "")), "")
    return f"{type(event).__name__} {about}".strip()


def _status(reading: Reading) -> str:
    return reading.status if reading.ended_at else "open"


def _started(house: House, scenario: Scenario) -> bool:
    start = Start(
        definition=definition_from(scenario.workflow),
        tenant=TENANT,
        actor=REQUESTER,
        input=scenario.given,
        autonomy=Autonomy(scenario.autonomy),
        budget=scenario.budget,
        execution_id=EXECUTION,
    )
    if not scenario.starts_refused:
        house.ask(lambda engine: engine.start(start))
        return True
    with pytest.raises(DirigentError) as refused:
        house.ask(lambda engine: engine.start(start))
    assert refused.value.code == scenario.starts_refused
    assert not house.events(EXECUTION)
    return False


def _tell(house: House, each: Told) -> None:
    def work(engine: Engine) -> Awaitable[Any]:
        return _asking(engine, each)

    if not each.refused:
        house.ask(work)
        return
    with pytest.raises(DirigentError) as refused:
        house.ask(work)
    assert refused.value.code == each.refused, refused.value


async def _asking(engine: Engine, each: Told) -> Any:
    if each.word in ("cancel", "pause", "resume"):
        return await getattr(engine, each.word)(EXECUTION, each.actor)
    if each.word == "signal":
        name, _, number = each.about.partition(" ")
        return await engine.signal(EXECUTION, name, each.data, signal_id=number or f"sig-{each.at:g}")
    if each.word == "resolve":
        happened, output = each.data is not None, each.data
        return await engine.resolve(EXECUTION, each.about, happened=happened, actor=each.actor, output=output)
    rows = [row for row in engine.approvals(TENANT, state=None) if row.step == each.about]
    assert rows, f"{each.about} has not asked for anything"
    return await getattr(engine, each.word)(rows[-1].approval_id, each.actor, roles=each.data)
