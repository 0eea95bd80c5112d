"""The parts that an engine is put together from can each be replaced."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from dirigent import Dirigent
from dirigent.domain.event import StepCompleted, StepStarted
from dirigent.engine import Engine, Start
from dirigent.execution.budget import Budgets
from dirigent.execution.registry import Registry
from dirigent.execution.request import Ledger, Request
from dirigent.execution.step_executor import StepExecutor
from dirigent.interpreter.loading import load_definition
from dirigent.ports import EventSink, Journal, Projections, Runtime, Workflows
from dirigent.runtimes.local import LocalRuntime
from dirigent.testing.frozen_clock import FrozenClock
from dirigent.testing.memory_journal import MemoryJournal
from dirigent.testing.memory_projections import MemoryProjections

TWO = """
workflow:
  name: two
  type: sequential
  steps:
    - {id: first, type: agent, agent_type: nobody, action: one}
    - {id: second, type: agent, agent_type: nobody, action: two, parameters: {seen: "${first.of}"}}
"""


class Echo:
    """A step executor without agents: every action ends with its own name and what it was given."""

    def __init__(self, clock: FrozenClock) -> None:
        self.registry = Registry()
        self.budgets = Budgets()
        self._clock = clock

    def dispatch(self, request: Request, ledger: Ledger) -> Coroutine[Any, Any, None]:
        """Let everything through, and wait for the journal in between."""
        return self._dispatch(request, ledger)

    async def _dispatch(self, request: Request, ledger: Ledger) -> None:
        at, step, attempt = self._clock.now_ms(), request.step, request.attempt
        ledger.note(
            StepStarted(at=at, step=step, attempt=attempt, agent=request.agent, action=request.action)
        )
        await ledger.durable()
        output = {"of": request.action, "given": request.inputs}
        ledger.note(StepCompleted(at=at, step=step, attempt=attempt, output=output))


async def test_an_engine_runs_on_other_parts() -> None:
    """Journal, projections, clock and step executor are handed in; here nothing of them is the usual one."""
    journal, clock, rows = MemoryJournal(), FrozenClock(), MemoryProjections()
    executor = Echo(clock)
    assert isinstance(executor, StepExecutor)
    runtime = LocalRuntime(journal, rows, executor, clock, _no_library)
    engine = Engine(runtime, journal, rows, clock, lambda _tenant: False)
    await runtime.start()
    execution_id = await engine.start(Start(definition=load_definition(TWO), tenant="t", actor="a"))
    reading = await engine.rest(execution_id)
    await runtime.close()
    assert reading.status == "completed"
    assert reading.steps["second"].output == {"of": "two", "given": {"seen": "one"}}


async def test_the_usual_parts_fit_their_protocols(tmp_path: Path) -> None:
    """Engine, registry, event publisher, both repositories and step executor are known by protocols only."""
    async with Dirigent(tmp_path) as dirigent:
        assert isinstance(dirigent.runtime, Runtime)
        assert isinstance(dirigent.journal, Journal)
        assert isinstance(dirigent.projections, Projections)
        assert isinstance(dirigent.workflows, Workflows)
        assert isinstance(dirigent.events, EventSink)
        assert isinstance(dirigent.dispatcher, StepExecutor)


def _no_library(tenant: str, name: str) -> Any:
    raise AssertionError(f"nobody asks for {name} of {tenant}")
