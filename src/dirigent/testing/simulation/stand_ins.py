"""Stand-ins for the actions of a workflow, declared as the real ones, that only call a simulated outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from dirigent.domain.agent import ActionSpec, AgentSpec
from dirigent.domain.canonical import storable
from dirigent.domain.errors import NotFound
from dirigent.execution.blocking import BlockingCalls
from dirigent.execution.registry import Action, Registry
from dirigent.testing.simulation.agents import Line

NOT_REGISTERED = "simulated: no agent of this name is registered here"


class StandIn(Action):
    """An action under the name by which a workflow asks for it.

    Where there is a real one its declaration holds and its inputs are checked; else it takes anything, and as
    nothing is declared a repetition of it counts as harmful. Nothing of it leaves the house.
    """

    def __init__(self, asked: str, agent: AgentSpec, spec: ActionSpec, real: Action | None) -> None:
        declared = replace(spec, runs_in="loop", outward=False, heartbeat_s=None)
        super().__init__(agent, declared, self, BlockingCalls())
        self.asked = asked
        self.real = real
        self.takes_context = True

    def read_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs as they are; raises `InvalidInput` where the real action would refuse them."""
        if self.real is not None:
            self.real.read_inputs(inputs)
        return {"inputs": inputs}

    @cached_property
    def needs_inputs(self) -> bool:
        """Whether there are inputs that the real action cannot do without."""
        return self.real is not None and self.real.needs_inputs

    def input_names(self) -> tuple[str, ...]:
        """The names of the real action's inputs."""
        return () if self.real is None else self.real.input_names()

    async def invoke(self, arguments: dict[str, Any], context: Any) -> Any:
        """What the outside gives."""
        effect = self.spec.effect.value
        return await Line.receiver.call(context, self.asked, self.spec.name, effect, arguments["inputs"])

    def plain_output(self, value: Any) -> Any:
        """The output as JSON data, checked as the real one would be."""
        return (
            storable(value, f"The output of {self.name}")
            if self.real is None
            else self.real.plain_output(value)
        )

    def example(self, chance: Any) -> Any:
        """Something that the action may give, drawn by chance from what it declares."""
        if self.real is None:
            return {}
        schema = self.real.output_schema()
        return _drawn(schema, schema.get("$defs", {}), chance, 0)


class StandIns(Registry):
    """A stand-in for whatever is asked for; `real` knows the agents that there are."""

    def __init__(self, real: Registry) -> None:
        super().__init__()
        self._real = real
        self._made: dict[tuple[str, str], StandIn] = {}

    def agent(self, name: str) -> AgentSpec:
        """The real agent of a name, else one that knows nothing of itself."""
        try:
            return self._real.agent(name)
        except NotFound:
            return AgentSpec(key=name, domain="simulation", description=NOT_REGISTERED)

    def action(self, agent: str, action: str) -> StandIn:
        """The stand-in; raises `InvalidInput` for an action that a registered agent does not have."""
        made = self._made.get((agent, action))
        if made is None:
            spec = self.agent(agent)
            real = None if spec.description == NOT_REGISTERED else self._real.action(agent, action)
            declared = ActionSpec(name=action) if real is None else real.spec
            made = self._made[agent, action] = StandIn(agent, spec, declared, real)
        return made


def _drawn(schema: Mapping[str, Any], shapes: Mapping[str, Any], chance: Any, depth: int) -> Any:
    """A value of a JSON Schema as pydantic writes them; the least that will do."""
    if "$ref" in schema:
        return _drawn(shapes[str(schema["$ref"]).rpartition("/")[2]], shapes, chance, depth + 1)
    for key, drawn in (("const", lambda said: said), ("enum", chance.choice), ("default", lambda said: said)):
        if key in schema:
            return drawn(schema[key])
    several = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if several:
        return _drawn(several[0], shapes, chance, depth + 1)
    make = _KINDS.get(str(schema.get("type", "")))
    return make(schema, shapes, chance, depth) if make is not None else {}


def _object(schema: Mapping[str, Any], shapes: Mapping[str, Any], chance: Any, depth: int) -> dict[str, Any]:
    needed = schema.get("required", ())
    fields = schema.get("properties", {})
    return {name: _drawn(fields[name], shapes, chance, depth + 1) for name in needed if name in fields}


def _array(schema: Mapping[str, Any], shapes: Mapping[str, Any], chance: Any, depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [_drawn(item, shapes, chance, depth + 1) for item in schema["prefixItems"]]
    least = int(schema.get("minItems", 1 if depth < DEPTH_MAX else 0))
    return [_drawn(schema.get("items", {}), shapes, chance, depth + 1) for _ in range(least)]


def _number(schema: Mapping[str, Any], _: Any, chance: Any, __: int) -> float:
    least = float(schema.get("minimum", schema.get("exclusiveMinimum", 0)))
    most = float(schema.get("maximum", schema.get("exclusiveMaximum", least + 100)))
    return round(float(chance.uniform(least, most)), 3)


def _text(schema: Mapping[str, Any], _: Any, chance: Any, __: int) -> str:
    form = schema.get("format", "")
    if form in FORMS:
        return FORMS[form]
    return f"text {chance.randrange(1000)}".ljust(int(schema.get("minLength", 0)), ".")


DEPTH_MAX = 6
FORMS = {
    "date-time": "2026-06-01T09:00:00Z",
    "date": "2026-06-01",
    "time": "09:00:00",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "somebody@example.org",
    "uri": "https://example.org/",
}
_KINDS: dict[str, Any] = {
    "object": _object,
    "array": _array,
    "number": _number,
    "integer": lambda schema, shapes, chance, depth: int(_number(schema, shapes, chance, depth)),
    "string": _text,
    "boolean": lambda *_: True,
    "null": lambda *_: None,
}
