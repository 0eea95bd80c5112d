"""Generated workflows, runs of them, and what a replay has to give again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import strategies as st

from dirigent.domain.approval import ANYBODY
from dirigent.domain.canonical import canonical_bytes, digest_of, plain
from dirigent.domain.command import Command, InvokeAction
from dirigent.domain.event import AnyEvent, Event, Failure
from dirigent.domain.workflow import Definition
from dirigent.interpreter.forking import Fork
from dirigent.interpreter.loading import definition_from, definition_to_dict
from dirigent.interpreter.machine import Machine
from tests.interpreter.harness import Ask, Harness, Unknown

INPUT: dict[str, Any] = {
    "n": 3,
    "flag": True,
    "rows": [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}],
    "map": {f"k{number}": {"z": number, "a": [number]} for number in range(12)},
    "plan": {"name": "p", "steps": [{"id": "x", "type": "transform"}]},
}
SOUND = [
    "input.n > 2",
    "input.flag or n < 3",
    'has(steps.s1) && steps.s1 != null && type(steps.s1) == map && "n" in steps.s1',
    "input.map.exists(k, input.map[k].z == 5)",
    "size(steps) >= 0",
]
CONDITIONS = [*SOUND, *SOUND, "n >= 1", "steps.s0.n > 1", "input.missing > 1"]
PARAMETERS = [
    {},
    {"n": "${n + 1}", "same": "${input.n}"},
    {"keys": "${input.map.map(k, k)}", "text": "all of ${input.map} for ${run.actor}"},
    {"map": "${input.map}", "filtered": "${input.map.filter(k, input.map[k].z > 5)}"},
    {"before": "${steps}"},
    {"n": "${input.n}", "list": ["${input.rows[0]}", '${ {"a": input.n} }']},
    {"broken": "${input.missing}"},
]
LISTS = ["input.rows", "input.map.map(k, input.map[k])", "[1, 2, 3]", "input.rows", "input.n"]
GUARDS = st.sampled_from([*[None] * len(CONDITIONS), *CONDITIONS])
UNDO = st.sampled_from(
    [
        None,
        None,
        {"agent_type": "worker", "action": "undo", "parameters": {"was": "${output}"}},
        {"agent_type": "worker", "action": "undo", "parameters": {"x": "${output.x}"}, "retry_policy": {}},
    ]
)
ATTEMPTS = st.sampled_from(
    [None, {"max_attempts": 2}, {"max_attempts": 3, "initial": "2s", "backoff_factor": 3}]
)


@dataclass(frozen=True)
class Trace:
    """What a run was: its definition, its events, and what the machine said after each of them."""

    definition: Definition
    events: list[Event]
    said: list[list[str]]


def _common(name: str, kind: str) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "id": st.just(name),
        "type": st.just(kind),
        "when": GUARDS,
        "on_error": st.sampled_from(["fail", "fail", "continue"]),
        "ends_as": st.sampled_from(["failed", "blocked"]),
    }


FALLBACKS = st.sampled_from(
    [
        None,
        None,
        "continue",
        {"value": {"n": "${input.n}", "why": "${error.code}"}},
        {"value": "${input.missing}"},
        {"agent_type": "other", "action": "work", "parameters": {"n": "${input.n}"}},
    ]
)
OUTPUTS = st.sampled_from([None, None, None, {"n": "${result.n}", "all": "${result}"}, "${input.n}"])
DEPTH_MAX = 2


def _kinds() -> list[tuple[str, dict[str, st.SearchStrategy[Any]]]]:
    parameters = st.sampled_from(PARAMETERS)
    agent = {
        "agent_type": st.just("worker"),
        "action": st.just("work"),
        "parameters": parameters,
        "retry_policy": ATTEMPTS,
        "fallback": FALLBACKS,
        "output": OUTPUTS,
        "compensate": UNDO,
    }
    conditions = st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=2)
    each = {"foreach": st.sampled_from(LISTS), "max_parallel": st.integers(1, 3)}
    return [
        ("agent", agent),
        ("agent", agent | each),
        ("condition", {"conditions": conditions}),
        ("validation", {"conditions": conditions, "parameters": st.just({"required_fields": ["n"]})}),
        ("transform", {"parameters": parameters, "fallback": FALLBACKS}),
        (
            "approval",
            {
                "parameters": parameters,
                "required": st.sampled_from([None, 2]),
                "reject_after": st.sampled_from([None, 2]),
                "on_expiry": st.sampled_from([None, "approve", "reject"]),
                "fallback": FALLBACKS,
            },
        ),
        ("wait", {"duration": st.sampled_from(["1s", "1h"])}),
        ("wait", {"until": st.sampled_from(["input.n", "1700000100000", '"2023-11-15T12:00:00Z"'])}),
        (
            "wait_for_event",
            {
                "event": st.sampled_from(["order.paid", "order.*", "order.${input.n}"]),
                "filter": st.sampled_from([None, "event.data.n > 1", "event.data.x == 1"]),
                "timeout": st.sampled_from([None, "1m"]),
            },
        ),
        (
            "subworkflow",
            {
                "workflow": st.sampled_from(["other", "${input.plan}", "${input.n}"]),
                "timeout": st.sampled_from([None, "1m"]),
                "fallback": FALLBACKS,
                "output": OUTPUTS,
                "compensate": UNDO,
            },
        ),
    ]


_STEPS = [*_kinds()]
_BLOCKS: list[tuple[str, dict[str, st.SearchStrategy[Any]]]] = [
    ("parallel", {}),
    (
        "loop",
        {
            "while": st.sampled_from([None, "index < 2", "index < 1 || previous != null", "input.missing"]),
            "until": st.sampled_from([None, "index > 1", "n > 2"]),
            "max_iterations": st.integers(1, 3),
        },
    ),
    ("foreach", {"foreach": st.sampled_from(LISTS), "max_parallel": st.integers(1, 3)}),
]
_OF_BLOCKS = {"timeout": st.sampled_from([None, "1m"]), "fallback": FALLBACKS, "output": OUTPUTS}


@st.composite
def _step(draw: st.DrawFn, name: str, depth: int) -> dict[str, Any]:
    if depth < DEPTH_MAX and draw(st.integers(0, 3)) == 0:
        kind, keys = draw(st.sampled_from(_BLOCKS))
        inside = {"steps": 0, "connections": 0} | draw(_body(f"{name}x", depth + 1, at_most=3))
        return {**draw(st.fixed_dictionaries(_common(name, kind) | keys | _OF_BLOCKS)), **inside}
    kind, keys = draw(st.sampled_from(_STEPS))
    return draw(st.fixed_dictionaries(_common(name, kind) | keys))


@st.composite
def _body(draw: st.DrawFn, prefix: str, depth: int, *, at_most: int) -> dict[str, Any]:
    """Steps and the connections between them; none of them run in a circle."""
    count = draw(st.integers(1 if depth else 2, at_most))
    steps = [draw(_step(f"{prefix}{number}", depth)) for number in range(count)]
    connections = [
        draw(_connection(steps[source], steps[target]))
        for target in range(1, len(steps))
        for source in draw(st.sets(st.integers(0, target - 1), max_size=3))
    ]
    if connections:
        _add_switch(draw, steps, connections)
        _add_joins(draw, steps, connections)
    return {"steps": steps, "connections": connections}


def _add_switch(draw: st.DrawFn, steps: list[dict[str, Any]], connections: list[dict[str, Any]]) -> None:
    """Let a step before all others choose between some that it is not connected with."""
    targets = [step["id"] for step in steps if draw(st.integers(0, 2)) == 0]
    if not targets:
        return
    cases = [{"when": draw(st.sampled_from(CONDITIONS)), "to": target} for target in targets[1:] or targets]
    switch = {"id": f"{steps[0]['id']}_way", "type": "switch", "cases": cases}
    steps.append(switch | ({"default": targets[0]} if draw(st.booleans()) else {}))


def _add_joins(draw: st.DrawFn, steps: list[dict[str, Any]], connections: list[dict[str, Any]]) -> None:
    for step in steps:
        ways = [way for way in connections if way["to"] == step["id"]]
        if len(ways) > 1 and draw(st.booleans()):
            step["join"] = draw(st.sampled_from(["any", 2, len(ways), {"n": 1}]))
            step["cancel_rest"] = draw(st.booleans())


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """A workflow without circles: every kind of step, guards, ways, joins, retries, blocks in blocks."""
    root = {
        "name": "generated",
        "type": draw(st.sampled_from(["sequential", "parallel", "hybrid"])),
        "output": draw(st.sampled_from([{}, {"n": "${n}", "all": "${steps}"}])),
        "timeout": draw(st.sampled_from([None, None, "1h"])),
    }
    return definition_from({**root, **draw(_body("s", 0, at_most=7))})


def _connection(source: dict[str, Any], target: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    words = ["", "", *(["true", "false"] if source["type"] == "condition" else [])]
    words += ["error"] if source["on_error"] == "fail" else []
    ends = {"from": source["id"], "to": target["id"]}
    by_word = st.sampled_from(words).map(lambda word: {**ends, "on": word})
    return by_word | GUARDS.map(lambda condition: {**ends, "condition": condition})


def run(definition: Definition, seed: int, fork: Fork | None = None) -> Trace:
    """One run to its end, in an order and with outcomes that hang on the seed alone."""
    chance = random.Random(seed)

    def pick(names: list[str]) -> str:
        """Which action ends next; others are let through meanwhile."""
        for name in names:
            begun = harness.machine.state.steps[name].started or harness.actions[name].look
            if chance.random() < 0.2 and not begun:
                harness.begin(name, chance.choice(["pure", "keyed", "at_most_once"]))
        return chance.choice(names)

    harness = Harness(definition, lambda command: _answer(chance, command), pick=pick, fork=fork, **INPUT)
    for _ in range(1000):
        if harness.run().machine.state.ended:
            break
        _be_the_world(harness, chance)
    assert harness.machine.state.ended, f"seed {seed}: the run never ends"
    return Trace(definition, harness.events, [])


def replayed(definition: Definition, events: Sequence[Event]) -> list[list[str]]:
    """Per event: digest of the state, and of the commands that came out and that are outstanding."""
    machine = Machine(definition)
    said = []
    for event in events:
        commands = machine.apply(event)
        said.append([machine.state.digest(), _digest(commands), _digest(machine.outstanding)])
    return said


def to_bytes(traces: Sequence[Trace]) -> bytes:
    """Traces as a file."""
    return canonical_bytes(
        [{"d": definition_to_dict(t.definition), "e": plain(t.events), "s": t.said} for t in traces]
    )


def from_bytes(data: bytes) -> list[Trace]:
    """Traces from a file."""
    return [
        Trace(definition_from(one["d"]), msgspec.convert(one["e"], list[AnyEvent]), one["s"])
        for one in msgspec.json.decode(data)
    ]


def _digest(commands: Sequence[Command]) -> str:
    return digest_of(plain(commands))


def _answer(chance: random.Random, command: InvokeAction) -> Any:
    roll = chance.random()
    if command.look:
        return {"n": 4} if roll < 0.3 else None
    if roll < 0.2:
        return Failure(code="busy", message="try again", retryable=True)
    if roll < 0.3:
        return Failure(code="broken", message="no use", rules=("r1",))
    if roll < 0.4 and not command.approved:
        return Ask()
    if roll < 0.45:
        return Unknown(lookup=roll < 0.43)
    return chance.choice([{"n": chance.randrange(5), "x": 0.5}, {"n": None}, [1, 2.0], None, "text", {}])


def _be_the_world(harness: Harness, chance: random.Random) -> None:
    """Do one thing that a run may wait for: decide, resolve, end a child, let time pass, or cancel."""
    state = harness.machine.state
    if state.paused:
        harness.resume()
        return
    if chance.random() < 0.04:
        chance.choice([harness.cancel, harness.pause, harness.pause])()
        return
    bounds = [timer for timer in harness.timers if timer.startswith(("timeout:", "execution"))]
    if bounds and chance.random() < 0.1:
        harness.fire(chance.choice(bounds))
        return
    around = {*state.regions, *state.fans, *state.loops}
    running = [
        name
        for name, step in state.steps.items()
        if step.status in ("running", "waiting", "outcome_unknown") and name not in around
    ]
    name = chance.choice(running)
    if f"look:{name}" in harness.timers and chance.random() < 0.8:
        chance.choice([harness.fire, harness.fire, lambda _: harness.look(name)])(f"look:{name}")
    elif state.steps[name].status == "outcome_unknown":
        harness.resolve(name, happened=chance.random() < 0.5, output={"n": 9})
    elif state.steps[name].approval and chance.random() < 0.8:
        said = chance.choice(["approved", "approved", "rejected"])
        if state.steps[name].deciders in (None, ANYBODY):
            harness.decide(name, said)
        else:
            harness.vote(name, f"person {len(state.steps[name].votes)}", said)
    elif state.steps[name].approval:
        harness.fire(f"approval:{name}")
    elif name in state.signals.awaited:
        _tell(harness, chance, name)
    elif name in harness.children:
        statuses = ["completed", "completed", "partially_completed", "failed", "blocked", "cancelled"]
        harness.end_child(name, chance.choice(statuses), {"n": 2})


def _tell(harness: Harness, chance: random.Random, name: str) -> None:
    """Let a step that waits for a signal have one, let its time pass, or tell something else."""
    if f"signal:{name}" in harness.timers and chance.random() < 0.3:
        harness.fire(f"signal:{name}")
    else:
        kind = chance.choice(["order.paid", "order.3", "order.lost", "other"])
        harness.signal(kind, chance.choice([{"n": 2}, {"n": 2, "x": 1}]))
