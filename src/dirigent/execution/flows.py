"""Flows by name: what a job runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from dirigent.domain.errors import Conflict, InvalidInput, NotFound
from dirigent.ports.queueing import Orchestrator

GROUP = "dirigent.flows"
NAME_LENGTH_MAX = 100


class FunctionFlow:
    """A function that takes the payload and gives the envelope, as an orchestrator."""

    def __init__(self, function: Callable[[Mapping[str, Any]], Any]) -> None:
        self._function = function

    def run(self, payload: Mapping[str, Any]) -> Any:
        """Call the function; what it gives may have to be awaited."""
        return self._function(payload)


class Flows:
    """Orchestrators by the name of their flow; a name can be taken once."""

    def __init__(self) -> None:
        self._flows: dict[str, Orchestrator] = {}

    def register(self, name: str, flow: Orchestrator | Callable[[Mapping[str, Any]], Any]) -> None:
        """Take in a flow: an object with `run(payload)`, or a function of the payload."""
        if not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable():
            raise InvalidInput(f"{name!r} is no name for a flow.", field="flow")
        if not isinstance(flow, Orchestrator) and not callable(flow):
            raise InvalidInput(
                f"The flow {name!r} is {flow!r}.", fix="Give an object with run(payload).", field="flow"
            )
        if name in self._flows:
            raise Conflict(f"There is a flow {name!r} already.", fix="Give this one another name.")
        self._flows[name] = flow if isinstance(flow, Orchestrator) else FunctionFlow(flow)

    def replace(self, name: str, flow: Orchestrator) -> None:
        """Take in a flow in the place of whatever stood there."""
        self._flows.pop(name, None)
        self.register(name, flow)

    def resolve(self, name: str) -> Orchestrator:
        """The orchestrator of a flow; raises `NotFound` listing the flows there are."""
        found = self._flows.get(name)
        if found is None:
            error = NotFound(f"There is no flow {name!r}.", code="flow_not_found", nearest=self.names())
            error.fix = f"The flows: {', '.join(self.names()) or 'none is registered'}."
            raise error
        return found

    def names(self) -> list[str]:
        """The flows there are."""
        return sorted(self._flows)

    def discover(self) -> list[str]:
        """Take in what installed packages offer under the entry points `dirigent.flows`; their names.

        An entry point names an orchestrator, or a class or function without arguments that makes one.
        """
        found = []
        for point in entry_points(group=GROUP):
            offered = point.load()
            self.register(
                point.name,
                offered if isinstance(offered, Orchestrator) and not isinstance(offered, type) else offered(),
            )
            found.append(point.name)
        return found
