"""Which agents there are, and the schemas of what they take and give."""

from __future__ import annotations

import difflib
import functools
import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from pydantic_core import ErrorDetails

from dirigent.domain.agent import ActionSpec, AgentSpec, Effect
from dirigent.domain.canonical import storable
from dirigent.domain.errors import Conflict, InvalidInput, NotFound
from dirigent.execution.blocking import BlockingCalls, Left
from dirigent.execution.flows import Flows
from dirigent.execution.tools import Tool, matching_tools
from dirigent.interpreter.inputs import Misfit
from dirigent.interpreter.lint import ActionFacts
from dirigent.interpreter.problems import shown, written_path
from dirigent.ports.queueing import Orchestrator
from dirigent.security.admission import AGENT_ATTRIBUTE

CONTEXT_PARAMETER = "ctx"


class Action:
    """One action made callable: its declaration, its input model and its output schema.

    `name` is `agent.action`; `facts` is what events and policies say of it. `pure` may run ahead of
    durability, `repeatable` may be called again without looking first, `announced` needs an intent.
    """

    def __init__(self, agent: AgentSpec, spec: ActionSpec, instance: Any, blocking: BlockingCalls) -> None:
        self.agent = agent
        self.spec = spec
        self.name = f"{agent.key}.{spec.name}"
        self.pure = spec.effect is Effect.PURE
        self.repeatable = spec.effect.repeatable
        self.announced = spec.effect.needs_intent
        self.facts: dict[str, Any] = {
            "agent": agent.key,
            "action": spec.name,
            "risk": spec.risk.value,
            "effect": spec.effect.value,
        }
        self.contract = ""
        self.instance = instance
        self._blocking = blocking

    def read_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Typed arguments from plain data; raises `InvalidInput` naming the field."""
        try:
            model = self._validated(inputs)
        except ValidationError as error:
            raise _input_error(self, error) from error
        values, given = vars(model), model.model_fields_set
        return values if len(given) == len(values) else {name: values[name] for name in given}

    def misfits(self, inputs: Mapping[str, Any]) -> list[Misfit]:
        """Everything in the inputs that `read_inputs` would refuse."""
        try:
            self._input_model.model_validate(inputs)
        except ValidationError as error:
            return [_misfit(found) for found in error.errors(include_url=False)]
        return []

    def input_names(self) -> tuple[str, ...]:
        """The names of its inputs, in the order in which it declares them."""
        return tuple(self._input_model.model_fields)

    @functools.cached_property
    def output_names(self) -> frozenset[str] | None:
        """The fields of its output; None where they are not known, or it is no mapping."""
        return _fields_of(self.output_schema())

    @functools.cached_property
    def needs_inputs(self) -> bool:
        """Whether there are inputs that it cannot do without."""
        return any(field.is_required() for field in self._input_model.model_fields.values())

    async def invoke(self, arguments: dict[str, Any], context: Any) -> Any:
        """Call the action; it lets itself be called only inside an admission."""
        if self.spec.runs_in == "process":
            return await self._blocking.in_process(type(self.instance), self.spec.name, arguments)
        method = getattr(self.instance, self.spec.name)
        if self.takes_context:
            arguments = {**arguments, CONTEXT_PARAMETER: context}
        if self.spec.runs_in == "thread":
            return await self._blocking.in_thread(self.agent.key, functools.partial(method, **arguments))
        return await method(**arguments)

    def plain_output(self, value: Any) -> Any:
        """The output as JSON data, checked against what the action declares."""
        adapter = self._output_adapter
        output = adapter.dump_python(adapter.validate_python(value), mode="json")
        return storable(output, f"The output of {self.agent.key}.{self.spec.name}")

    def output_from_json(self, raw: bytes) -> Any:
        """The typed output that JSON stands for; raises `ValidationError` where it does not fit."""
        return self._output_adapter.validate_json(raw)

    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the inputs."""
        return self._input_model.model_json_schema()

    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the output."""
        return self._output_adapter.json_schema()

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        method = getattr(type(self.instance), self.spec.name)
        module = vars(sys.modules[type(self.instance).__module__])
        return typing.get_type_hints(method, globalns=module, include_extras=True)

    @functools.cached_property
    def takes_context(self) -> bool:
        """Whether it is handed the call's context."""
        return CONTEXT_PARAMETER in inspect.signature(getattr(type(self.instance), self.spec.name)).parameters

    @functools.cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(getattr(type(self.instance), self.spec.name))

    @functools.cached_property
    def _input_model(self) -> type[BaseModel]:
        fields: dict[str, Any] = {
            name: (
                self._hints.get(name, Any),
                ... if parameter.default is parameter.empty else parameter.default,
            )
            for name, parameter in self._signature.parameters.items()
            if name not in ("self", CONTEXT_PARAMETER)
        }
        config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
        return create_model(f"{self.agent.key}_{self.spec.name}_inputs", __config__=config, **fields)

    @functools.cached_property
    def _validated(self) -> Callable[[Any], BaseModel]:
        return self._input_model.__pydantic_validator__.validate_python

    @functools.cached_property
    def _output_adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._hints.get("return", Any))


MakeAction = Callable[[AgentSpec, ActionSpec, Any, BlockingCalls], Action]


class Registry:
    """Agents by key and alias, their actions as tools, and flows by name. A name can be taken once.

    The agents it is made with are those that come along: each gives way to the first that is registered
    under its key.
    """

    def __init__(self, agents: Iterable[type[Any] | object] = ()) -> None:
        self._agents: dict[str, AgentSpec] = {}
        self._names: dict[str, str] = {}
        self._actions: dict[tuple[str, str], Action] = {}
        self._blocking = BlockingCalls()
        self._make: MakeAction = Action
        self._coming_along: set[str] = set()
        self._handlers: list[tuple[AgentSpec, ActionSpec]] | None = None
        self.flows = Flows()
        for item in agents:
            self.register(item)
        self._coming_along.update(self._agents)

    def register(self, item: type[Any] | object, *, replace: bool = False) -> AgentSpec:
        """Take in an agent: a class decorated with `@agent`, or an instance of one.

        Raises `Conflict` where there is one of its key, unless that came along or it is to `replace` it.
        """
        spec = _spec_of(item)
        instance = item() if isinstance(item, type) else item
        if spec.key in self._agents:
            if not replace and spec.key not in self._coming_along:
                fix = "Give it another key, or register it with replace=True."
                raise Conflict(f"There is an agent {spec.key!r} already.", fix=fix)
            self._forget(spec.key)
        self._coming_along.discard(spec.key)
        for name in (spec.key, *spec.aliases):
            if self._names.setdefault(_folded(name), spec.key) != spec.key:
                raise InvalidInput(f"The name {name!r} is taken by {self._names[_folded(name)]!r}.")
        self._agents[spec.key] = spec
        self._handlers = None
        self._place(spec, instance)
        return spec

    def register_agent(self, name: str, agent: type[Any] | object, *, replace: bool = False) -> AgentSpec:
        """As `register`, under a name that has to be one of the agent's own: its key or an alias."""
        spec = _spec_of(agent)
        if _folded(name) not in {_folded(own) for own in (spec.key, *spec.aliases)}:
            fix = f"Register it as {spec.key!r}, or declare it with @agent({name!r}, ...)."
            raise InvalidInput(f"{spec.key!r} is not called {name!r}.", fix=fix, field="name")
        return self.register(agent, replace=replace)

    def place(self, make: MakeAction) -> None:
        """Have the actions of all agents, also of those to come, be what `make` gives."""
        self._make = make
        for spec in self._agents.values():
            self._place(spec, self._actions[spec.key, next(iter(spec.actions))].instance)

    def _place(self, spec: AgentSpec, instance: Any) -> None:
        for action in spec.actions.values():
            self._actions[spec.key, action.name] = self._make(spec, action, instance, self._blocking)

    def keep_only(self, name: str) -> AgentSpec:
        """Forget every agent but one."""
        kept = self.agent(name)
        for key in [key for key in self._agents if key != kept.key]:
            self._forget(key)
        return kept

    def tell_left(self, told: Left) -> None:
        """Have somebody told of every call of a blocking action that goes on though its time is over."""
        self._blocking.left = told

    def close(self) -> None:
        """Let go of the threads and processes that blocking actions ran in."""
        self._blocking.close()

    def agent(self, name: str) -> AgentSpec:
        """An agent by key or alias; raises `NotFound` with the nearest names."""
        key = self._names.get(_folded(name))
        if key is None:
            spelled = {_folded(known): known for known in self._spelled_names()}
            nearest = [spelled[found] for found in difflib.get_close_matches(_folded(name), spelled, n=3)]
            raise NotFound(f"There is no agent {name!r}.", code="agent_not_found", nearest=nearest)
        return self._agents[key]

    def action(self, agent: str, action: str) -> Action:
        """An action by agent and name; raises `NotFound` or `InvalidInput` listing what there is."""
        found = self._actions.get((agent, action))
        if found is not None:
            return found
        spec = self.agent(agent)
        found = self._actions.get((spec.key, action))
        if found is None:
            raise InvalidInput(
                f"The agent {spec.key!r} has no action {action!r}.",
                fix=f"Its actions: {', '.join(spec.actions)}.",
                field="action",
            )
        return found

    def register_flow(self, name: str, flow: Orchestrator | Callable[[Mapping[str, Any]], Any]) -> None:
        """Take in a flow: an object with `run(payload)`, or a function of the payload."""
        self.flows.register(name, flow)

    def resolve(self, flow: str) -> Orchestrator:
        """What stands behind the name of a flow; raises `NotFound` listing the flows there are."""
        return self.flows.resolve(flow)

    def find(self, word: str) -> list[Tool]:
        """The actions that have a word in their name, description or agent's name, as tools."""
        return matching_tools(self.specs(), word)

    def specs(self) -> list[AgentSpec]:
        """All agents by key."""
        return [self._agents[key] for key in sorted(self._agents)]

    def handlers(self) -> list[tuple[AgentSpec, ActionSpec]]:
        """The actions that declare that they handle events, with their agents, by key."""
        if self._handlers is None:
            found = ((spec, action) for spec in self.specs() for action in spec.actions.values())
            self._handlers = [(spec, action) for spec, action in found if action.handles]
        return self._handlers

    def described(self) -> list[dict[str, Any]]:
        """All agents with their actions' risk, effect and cost, as plain data."""
        return [
            {
                "agent": spec.key,
                "domain": spec.domain,
                "actions": {
                    name: {"risk": action.risk.value, "effect": action.effect.value, "cost": action.cost}
                    for name, action in spec.actions.items()
                },
            }
            for spec in self.specs()
        ]

    def known_actions(self) -> dict[str, tuple[str, ...]]:
        """Actions by every name an agent has; what definitions are checked against."""
        return {name: tuple(self._agents[key].actions) for name, key in self._spelled_names().items()}

    def facts(self, agent: str, action: str) -> ActionFacts | None:
        """What advice on a definition needs to know of an action; None where there is no such action."""
        key = self._names.get(_folded(agent))
        found = self._actions.get((key, action)) if key else None
        if found is None:
            return None
        return ActionFacts(
            effect=found.spec.effect,
            timed=found.spec.timeout_s is not None,
            gives=found.output_names,
            takes=found.input_names(),
            misfits=found.misfits,
        )

    def _forget(self, key: str) -> None:
        spec = self._agents.pop(key)
        self._handlers = None
        self._names = {name: owner for name, owner in self._names.items() if owner != key}
        for name in spec.actions:
            del self._actions[key, name]

    def _spelled_names(self) -> dict[str, str]:
        return {name: spec.key for spec in self._agents.values() for name in (spec.key, *spec.aliases)}


def _spec_of(item: type[Any] | object) -> AgentSpec:
    kind = item if isinstance(item, type) else type(item)
    spec: AgentSpec | None = getattr(kind, AGENT_ATTRIBUTE, None)
    if spec is None:
        raise InvalidInput(f"{kind.__name__} is not an agent.", fix="Decorate it with @agent.")
    return spec


def _folded(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _fields_of(schema: dict[str, Any]) -> frozenset[str] | None:
    """The fields that a value of this schema has; None where they are not known, or it is no mapping."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    shape = schema.get("$defs", {}).get(name, schema)
    if shape.get("type") != "object" or shape.get("additionalProperties") or "properties" not in shape:
        return None
    return frozenset(shape["properties"])


def _misfit(found: ErrorDetails) -> Misfit:
    path = tuple(found["loc"])
    where = written_path(path)
    if found["type"] == "missing":
        return Misfit(path=path, value=None, text=f"{where} is missing", expected=where, missing=True)
    if found["type"] == "extra_forbidden":
        text, expected = f"{where} is not known", "an input that it takes"
        return Misfit(path=path, value=None, text=text, expected=expected, unknown=True)
    text = f"{where} is {shown(found['input'])}"
    return Misfit(path=path, value=found["input"], text=text, expected=found["msg"])


def _input_error(action: Action, error: ValidationError) -> InvalidInput:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "inputs"
    name = f"{action.agent.key}.{action.spec.name}"
    return InvalidInput(
        f"{name}: {field}: {first['msg']}.",
        fix=f"See `dirigent agents {action.agent.key}` for what it takes.",
        field=field,
    )
