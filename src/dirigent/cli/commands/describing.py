"""`dirigent agents`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dirigent.cli.options import DEFAULT, Common
from dirigent.cli.screen import Screen

if TYPE_CHECKING:
    from dirigent.bootstrap import Dirigent
    from dirigent.domain.agent import ActionSpec, AgentSpec
    from dirigent.execution.registry import Registry


def agents_command(
    key: str | None = None,
    /,
    *,
    common: Common = DEFAULT,
) -> None:
    """Describe.

    Parameters
    ----------
    key
        One agent, by its key or another name it has; else all of them.
    """
    from dirigent.bootstrap import Dirigent

    screen = common.screen()
    dirigent = Dirigent(settings=common.settings())
    registry, elsewhere = dirigent.registry, _elsewhere(dirigent)
    wanted = registry.specs() if key is None else [registry.agent(key)]
    if screen.json:
        found = [_described(registry, spec, elsewhere) for spec in wanted]
        screen.document(found if key is None else found[0])
    elif key is None:
        _show_all(screen, wanted)
        for name, (address, state) in elsewhere.items():
            screen.say(f"{name} runs at {address}: {state}")
    else:
        _show_one(screen, registry, wanted[0], elsewhere)


def _elsewhere(dirigent: Dirigent) -> dict[str, tuple[str, str]]:
    """By agent: the address of its server and whether it answers now."""
    import asyncio

    servers = dirigent.servers.servers
    if servers:
        asyncio.run(dirigent.servers.look())
    return {
        key: (server.address, f"{server.presence.state} {server.presence.detail}".strip())
        for key, server in servers.items()
    }


def _show_all(screen: Screen, specs: list[AgentSpec]) -> None:
    from dirigent.cli.execution_report import WIDE
    from dirigent.cli.screen import facts, table

    if screen.console.width < WIDE:
        for spec in specs:
            screen.heading(spec.key)
            screen.show(facts({f"  {action.name}": _in_short(action) for action in spec.actions.values()}))
        screen.say()
    else:
        rows = [
            (spec.key if number == 0 else "", action.name, action.risk, action.effect, action.description)
            for spec in specs
            for number, action in enumerate(spec.actions.values())
        ]
        screen.show(table(("agent", "action", "risk", "effect", "what it does"), rows))
    screen.say(f"{len(specs)} agents. One with its inputs: dirigent agents {specs[0].key}")


def _in_short(action: ActionSpec) -> str:
    return f"{action.risk}, {action.effect}: {action.description}"


def _show_one(
    screen: Screen, registry: Registry, spec: AgentSpec, elsewhere: dict[str, tuple[str, str]]
) -> None:
    from dirigent.cli.screen import facts, table

    screen.heading(spec.key)
    also = ", ".join(spec.aliases)
    runs = "in this process" if spec.key not in elsewhere else "at {}: {}".format(*elsewhere[spec.key])
    screen.show(facts({"domain": spec.domain, "does": spec.description, "also called": also, "runs": runs}))
    for action in spec.actions.values():
        screen.heading(f"{spec.key}.{action.name}   {action.risk}, {action.effect}{_marks(action)}")
        screen.say(action.description)
        inputs = _inputs(registry.action(spec.key, action.name).input_schema())
        if inputs:
            screen.show(table(("input", "type", "required", "default"), inputs))


def _marks(action: ActionSpec) -> str:
    marks = [
        ", leaves the house" if action.outward else "",
        f", costs {action.cost:g}" if action.cost else "",
    ]
    return "".join(marks)


def _inputs(schema: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """The fields of an action's input; those of an object one level down, with a point."""
    shapes = schema.get("$defs", {})
    rows = []
    for name, of in schema.get("properties", {}).items():
        rows.append(_input(name, of, schema))
        shape = shapes.get(_type(of).removesuffix(" or null"), {})
        rows += [
            _input(f"{name}.{inner}", of_inner, shape)
            for inner, of_inner in shape.get("properties", {}).items()
        ]
    return rows


def _input(name: str, of: dict[str, Any], schema: dict[str, Any]) -> tuple[str, str, str, str]:
    required = name.rpartition(".")[2] in schema.get("required", [])
    return name, _type(of), "yes" if required else "", _default(of)


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema's type in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(choice) for choice in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "anything"))


def _default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    return "" if value is None else str(value)


def _described(registry: Registry, spec: AgentSpec, elsewhere: dict[str, tuple[str, str]]) -> dict[str, Any]:
    address, state = elsewhere.get(spec.key, (None, "online"))
    return {
        "key": spec.key,
        "domain": spec.domain,
        "description": spec.description,
        "aliases": list(spec.aliases),
        "address": address,
        "state": state,
        "actions": [_action(registry, spec, action) for action in spec.actions.values()],
    }


def _action(registry: Registry, spec: AgentSpec, action: ActionSpec) -> dict[str, Any]:
    found = registry.action(spec.key, action.name)
    return {
        "name": action.name,
        "description": action.description,
        "risk": action.risk.value,
        "effect": action.effect.value,
        "cost": action.cost,
        "outward": action.outward,
        "inputs": found.input_schema(),
        "output": found.output_schema(),
    }
