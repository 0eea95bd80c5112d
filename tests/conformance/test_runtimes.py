"""Every runtime plays every scenario, and the kit notices one that does not."""

from __future__ import annotations

from pathlib import Path

from dirigent.testing.runtime_conformance import (
    Hands,
    House,
    RuntimeConformance,
    library_of,
    scripted_agents,
)
from dirigent.testing.scenarios.scenario import Scenario
from tests.conformance.houses import LocalHouse, SimulatedHouse


class TestLocalRuntime(RuntimeConformance):
    """The embedded runtime, on a loop of asyncio's and over SQLite."""

    def make_house(self, tmp_path: Path, scenario: Scenario, hands: Hands) -> House:
        return LocalHouse(tmp_path, scripted_agents(hands), library_of(scenario))


class TestSimulatedRuntime(RuntimeConformance):
    """The runtime of the simulator."""

    def make_house(self, tmp_path: Path, scenario: Scenario, hands: Hands) -> House:
        return SimulatedHouse(scripted_agents(hands), library_of(scenario))
