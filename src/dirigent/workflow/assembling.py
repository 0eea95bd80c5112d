"""From steps, ways and triggers to a checked definition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dirigent.domain.workflow import Definition
from dirigent.intake.time_zones import TIME_ZONES
from dirigent.interpreter.loading import Actions, definition_from
from dirigent.workflow.expressions import plain
from dirigent.workflow.starting import Trigger
from dirigent.workflow.steps import Duration, Target, as_data, chain_of, written


def workflow(
    name: str,
    *parts: Target,
    type: str = "sequential",
    description: str = "",
    triggers: Iterable[Trigger] = (),
    input: Mapping[str, Any] | None = None,
    output: Mapping[str, Any] | None = None,
    timeout: Duration | None = None,
    actions: Actions | None = None,
    **keys: Any,
) -> Definition:
    """A definition, checked as a file is; `dirigent.run` and `dirigent.library.save` take it.

    `parts` are steps and chains of steps; a step may stand in several chains. Without any `>>` the type
    says what comes after what, as in a file without connections. `input` is a JSON Schema; `timeout`
    bounds a whole run. With `actions` (`dirigent.registry.known_actions()`) steps may name only what there
    is. Raises `InvalidDefinition` with every problem, under the same codes as for a file.
    """
    chains = [chain_of(part) for part in parts]
    steps = dict.fromkeys(step for chain in chains for step in chain.steps)
    ways = dict.fromkeys(way for chain in chains for way in chain.connections)
    data = {
        "name": name,
        "type": type,
        "description": description or None,
        "triggers": list(triggers) or None,
        "input": dict(input) if input else None,
        "steps": [as_data(step) for step in steps],
        "connections": [way.as_data() for way in ways] or None,
        "output": plain(output) if output else None,
        "timeout": written("timeout", timeout),
        **plain(keys),
    }
    said = {key: value for key, value in data.items() if value is not None}
    return definition_from(said, source=f"workflow({name!r})", actions=actions, timezones=TIME_ZONES)
