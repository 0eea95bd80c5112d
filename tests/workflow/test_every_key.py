"""Whatever a file can say of a step can be said in Python, key by key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import dirigent.workflow as sdk
from dirigent.domain.errors import InvalidDefinition
from dirigent.domain.workflow import BLOCKS, Definition, Kind
from dirigent.intake.schema.making import workflow_schema
from dirigent.interpreter.loading import definition_from
from dirigent.workflow import Step, case, input_, instead, result, retry, transform, undo, workflow

OTHER_SPELLINGS = {"agent": "agent_type", "conditions": "when"}
"""Keys that say what another says; `conditions` is a key of its own where the step is about them."""
ABOUT_CONDITIONS = (Kind.CONDITION, Kind.VALIDATION)

LEFT, RIGHT = transform("left"), transform("right", {"n": 2})
INNER = [{"id": "left", "type": "transform"}, {"id": "right", "type": "transform", "parameters": {"n": 2}}]

NEEDED: dict[Kind, tuple[str, ...]] = {
    Kind.AGENT: ("agent_type", "action"),
    Kind.CONDITION: ("conditions",),
    Kind.SWITCH: ("on", "cases"),
    Kind.WAIT: ("duration",),
    Kind.WAIT_FOR_EVENT: ("event",),
    Kind.SUBWORKFLOW: ("workflow",),
    Kind.EMIT: ("event",),
    Kind.HTTP: ("url",),
    Kind.NOTIFY: ("message",),
    Kind.PARALLEL: ("steps",),
    Kind.LOOP: ("steps", "max_iterations"),
    Kind.FOREACH: ("foreach", "steps"),
}
TOGETHER = {"cancel_rest": "join", "max_parallel": "foreach", "body": "method", "effect": "method"}
IN_PLACE_OF = {(Kind.PARALLEL, "branches"): "steps", (Kind.WAIT, "until"): "duration"}

SAMPLES: dict[str, tuple[Any, Any]] = {
    "agent_type": ("billing", "billing"),
    "action": ("find", "find"),
    "parameters": (
        {"code": input_.n, "message": f"for {input_.name}"},
        {"code": "${input.n}", "message": "for ${input.name}"},
    ),
    "conditions": ((input_.n > 1, "input.b"), ["input.n > 1", "input.b"]),
    "when": (input_.n > 1, "input.n > 1"),
    "foreach": (input_.leads, "input.leads"),
    "max_parallel": (3, 3),
    "timeout": (timedelta(seconds=90), "90s"),
    "retry_policy": (retry(4, initial=timedelta(seconds=2)), {"max_attempts": 4, "initial": "2s"}),
    "on_error": ("continue", "continue"),
    "fallback": (
        instead("crm", "guess", {"n": input_.n}),
        {"agent_type": "crm", "action": "guess", "parameters": {"n": "${input.n}"}},
    ),
    "output": ({"n": result.n}, {"n": "${result.n}"}),
    "join": ("any", "any"),
    "cancel_rest": (True, True),
    "ends_as": ("blocked", "blocked"),
    "workflow": (input_.plan, "${input.plan}"),
    "duration": (timedelta(hours=2), "2h"),
    "event": ("order.paid", "order.paid"),
    "filter": (sdk.event.data.n > 1, "event.data.n > 1"),
    "compensate": (
        undo("crm", "forget", {"id": input_.id}, timeout=60),
        {"agent_type": "crm", "action": "forget", "parameters": {"id": "${input.id}"}, "timeout": "1m"},
    ),
    "data": ({"n": input_.n}, {"n": "${input.n}"}),
    "subject": (f"order/{input_.n}", "order/${input.n}"),
    "method": ("PUT", "PUT"),
    "url": (input_.url, "${input.url}"),
    "headers": ({"Authorization": {"secret": "SHOP"}}, {"Authorization": {"secret": "SHOP"}}),
    "query": ({"q": input_.q}, {"q": "${input.q}"}),
    "body": ([1, {"n": input_.n}], [1, {"n": "${input.n}"}]),
    "effect": ("at_most_once", "at_most_once"),
    "message": (input_.text, "${input.text}"),
    "level": ("warning", "warning"),
    "to": (["ann", input_.owner], ["ann", "${input.owner}"]),
    "channels": (["in_app"], ["in_app"]),
    "approvers": (["ann", input_.boss], ["ann", "${input.boss}"]),
    "roles": (["boss"], ["boss"]),
    "required": (2, 2),
    "reject_after": (2, 2),
    "not_requester": (True, True),
    "on_expiry": ("approve", "approve"),
    "until": (input_.at, "input.at"),
    "while": (input_.more, "input.more"),
    "max_iterations": (7, 7),
    "on": (input_.kind, "input.kind"),
    "cases": (
        (case("one", value="a"), case("two", value=None)),
        [{"value": "a", "to": "one"}, {"value": None, "to": "two"}],
    ),
    "default": ("two", "two"),
    "steps": ((LEFT, RIGHT), INNER),
    "branches": ([[LEFT, RIGHT]], [INNER]),
    "connections": ((LEFT >> RIGHT,), [{"from": "left", "to": "right"}]),
}
"""What a key may say, in Python and in a file."""


def keys_of(kind: Kind) -> set[str]:
    """The keys that the published schema allows on steps of a kind, each in its usual spelling."""
    step = workflow_schema()["$defs"]["step"]
    [branch] = [one for one in step["allOf"] if one["if"]["properties"]["type"].get("const") == kind.value]
    keys = set(branch["then"]["properties"]) - {"id", "type"}
    same = {key for key in OTHER_SPELLINGS if key != "conditions" or kind not in ABOUT_CONDITIONS}
    return keys - same


EVERY_KEY = [
    pytest.param(kind, key, id=f"{kind.value}-{key}") for kind in Kind for key in sorted(keys_of(kind))
]


def keys_for(kind: Kind, *more: str) -> list[str]:
    """What a step of a kind cannot do without, and more."""
    replaced = {IN_PLACE_OF.get((kind, key)) for key in more}
    with_others = [TOGETHER[key] for key in more if key in TOGETHER]
    keys = dict.fromkeys((*NEEDED.get(kind, ()), *with_others, *more))
    return [key for key in keys if key not in replaced]


def in_python(kind: Kind, *keys: str) -> Definition:
    """A workflow around one step of a kind that has these keys."""
    said = {key: SAMPLES[key][0] for key in keys}
    step = made(kind, said)
    one, two = transform("one"), transform("two")
    before = [transform("a"), transform("b")] >> step
    return workflow("w", before, one, two) if kind is Kind.SWITCH else workflow("w", before >> [one, two])


def made(kind: Kind, said: dict[str, Any]) -> Step:
    """The step, by the function for its kind."""
    parts: tuple[Any, ...] = said.pop("cases", ())
    if kind in ABOUT_CONDITIONS:
        parts = said.pop("conditions", ())
    elif kind in BLOCKS:
        parts = said.pop("steps", ())
        parts = said.pop("connections", parts)
    if kind is Kind.FOREACH:
        parts = (said.pop("foreach"), *parts)
    if kind is Kind.VALIDATION:
        said |= said.pop("parameters", {})
    if "while" in said:
        said["while_"] = said.pop("while")
    function: Callable[..., Step] = getattr(sdk, kind.value)
    return function("x", *parts, **said)


def in_a_file(kind: Kind, *keys: str) -> Definition:
    """The same as a file says it."""
    step = {"id": "x", "type": kind.value} | {key: SAMPLES[key][1] for key in keys}
    ways = [{"from": "a", "to": "x"}, {"from": "b", "to": "x"}]
    if kind is not Kind.SWITCH:
        ways += [{"from": "x", "to": "one"}, {"from": "x", "to": "two"}]
    others = [{"id": name, "type": "transform"} for name in ("a", "b", "one", "two")]
    steps = [*others[:2], step, *others[2:]]
    return definition_from({"name": "w", "steps": steps, "connections": ways})


@pytest.mark.parametrize(("kind", "key"), EVERY_KEY)
def test_a_key_in_python_says_what_it_says_in_a_file(kind: Kind, key: str) -> None:
    """The definitions are equal, under one hash, which is not the one that they have without the key."""
    keys = keys_for(kind, key)
    definition = in_python(kind, *keys)
    assert definition == in_a_file(kind, *keys)
    assert definition.content_hash == in_a_file(kind, *keys).content_hash
    if key not in NEEDED.get(kind, ()):
        assert definition.content_hash != in_python(kind, *keys_for(kind)).content_hash


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_keys_in_any_company(data: st.DataObject) -> None:
    """Many keys at once: what Python makes is what the file makes, or both are wrong in the same way."""
    kind = data.draw(st.sampled_from(list(Kind)))
    more = data.draw(st.lists(st.sampled_from(sorted(keys_of(kind))), unique=True))
    assume(not {"branches", "connections"} <= {*more})  # in Python a way leads to steps, not to branches
    keys = keys_for(kind, *more)
    assert outcome(in_python, kind, keys) == outcome(in_a_file, kind, keys)


def outcome(make: Callable[..., Definition], kind: Kind, keys: list[str]) -> object:
    """The hash of what is made, or the codes of what is wrong with it."""
    try:
        return make(kind, *keys).content_hash
    except InvalidDefinition as error:
        return sorted((problem.code, problem.path) for problem in error.problems)  # type: ignore[attr-defined]


def test_a_time_limit_of_the_whole() -> None:
    """Given as a duration of either kind."""
    step = {"id": "one", "type": "transform"}
    data = {"name": "w", "timeout": "2h", "steps": [step]}
    assert workflow("w", transform("one"), timeout=timedelta(hours=2)) == definition_from(data)
    assert workflow("w", transform("one"), timeout="2h") == definition_from(data)
