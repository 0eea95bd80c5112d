"""Every runtime plays every scenario, and the kit notices one that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dirigent.interpreter.loading import definition_from
from dirigent.testing.runtime_conformance import (
    EXECUTION,
    Asking,
    Hands,
    House,
    RuntimeConformance,
    library_of,
    scripted_agents,
)
from dirigent.testing.scenarios import SCENARIOS
from dirigent.testing.scenarios.scenario import UNSAID, Scenario
from dirigent.testing.simulation.disk import Disk
from tests.conformance.houses import LocalHouse, SimulatedHouse


class TestLocalRuntime(RuntimeConformance):
    """The embedded runtime, on a loop of asyncio's and over SQLite."""

    def make_house(self, tmp_path: Path, scenario: Scenario, hands: Hands) -> House:
        return LocalHouse(tmp_path, scripted_agents(hands), library_of(scenario))


class TestSimulatedRuntime(RuntimeConformance):
    """The runtime of the simulator."""

    def make_house(self, tmp_path: Path, scenario: Scenario, hands: Hands) -> House:
        return SimulatedHouse(scripted_agents(hands), library_of(scenario))


class Deaf(SimulatedHouse):
    """Acknowledges what people and systems say, and does nothing about it."""

    def ask(self, work: Asking) -> Any:
        started = bool(self.events(EXECUTION))
        return None if started else super().ask(work)


class Hasty(SimulatedHouse):
    """Its clocks are fast."""

    def pass_time(self, seconds: float) -> None:
        super().pass_time(seconds * 1.3)


class Forgetful(SimulatedHouse):
    """Begins on an empty disk every time."""

    def restart(self) -> None:
        self.disk = Disk()
        super().restart()


@pytest.mark.parametrize(("house", "least"), [(Deaf, 40), (Hasty, 10), (Forgetful, 40)])
def test_a_runtime_that_is_wrong_does_not_pass(
    house: type[SimulatedHouse], least: int, tmp_path: Path
) -> None:
    """The kit fails on it, in many scenarios."""

    class Wrong(RuntimeConformance):
        def make_house(self, tmp_path: Path, scenario: Scenario, hands: Hands) -> House:
            return house(scripted_agents(hands), library_of(scenario))

    failed = [scenario.name for scenario in SCENARIOS if not _passes(Wrong(), tmp_path, scenario)]
    assert len(failed) >= least


def _passes(kit: RuntimeConformance, tmp_path: Path, scenario: Scenario) -> bool:
    try:
        kit.test_a_restart_changes_nothing(tmp_path, scenario)
    except (Exception, pytest.fail.Exception):
        return False
    return True


def test_scenarios_have_names_of_their_own_and_expect_something() -> None:
    """None is there twice, and none would pass whatever came out."""
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) >= 200
    for scenario in SCENARIOS:
        definition_from(scenario.workflow)
        said = (
            scenario.steps,
            scenario.calls,
            scenario.order,
            scenario.never,
            scenario.code,
            scenario.starts_refused,
        )
        assert any(said) or scenario.output != UNSAID or scenario.status != "completed", scenario.name
