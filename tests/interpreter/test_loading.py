"""Loading: what is accepted, and that every mistake is told with its code, its place and a fix."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dirigent.domain.errors import InvalidDefinition
from dirigent.domain.trigger import EventTrigger, ScheduleTrigger
from dirigent.domain.workflow import Definition, Fallback, FlowType, Kind, Retry
from dirigent.interpreter.graph import build_graph
from dirigent.interpreter.loading import (
    definition_from,
    definition_to_dict,
    load_definition,
    stored_definition,
)
from dirigent.interpreter.problems import CODES, Problem, explain
from dirigent.interpreter.written import WrittenStep, WrittenWorkflow
from tests.interpreter.flow_mistakes import FLOW_MISTAKES
from tests.interpreter.mistakes import MISTAKES as PLAIN_MISTAKES
from tests.interpreter.mistakes import one_step

MISTAKES = PLAIN_MISTAKES | FLOW_MISTAKES
FIXTURES = Path(__file__).parents[1] / "fixtures"
PRINTED = (FIXTURES / "002-01-content-creation-workflow.yaml").read_text(encoding="utf-8")
TYPES = (FIXTURES / "002-16-workflow-types.yaml").read_text(encoding="utf-8")
ZONES = ["America/New_York", "Europe/Berlin", "UTC"]
ACTIONS = {"notifier": {"send_notification", "update_status"}, "inventory": {"check_stock"}}


def problems_of(text: str, **options: Any) -> list[Problem]:
    """Every problem of a text."""
    with pytest.raises(InvalidDefinition) as caught:
        load_definition(text, source="f.yaml", **options)
    return list(caught.value.problems)  # type: ignore[arg-type]


def data(*steps: dict[str, Any], **root: Any) -> dict[str, Any]:
    return {"name": "x", "steps": list(steps), **root}


def test_a_stored_definition_is_read_by_the_rules_of_its_time() -> None:
    """A name that nothing gives is a mistake in a file; a run that began with it can still be read."""
    step = {"id": "a", "type": "transform", "parameters": {"q": "${inptu.a}"}}
    written = data(step, input={"additionalProperties": False})
    assert [problem.code for problem in problems_of(json.dumps(written))] == ["WF029"]
    assert stored_definition(written).steps[0].parameters == {"q": "${inptu.a}"}


# --- what is accepted ----------------------------------------------------------------------------


def test_the_printed_workflow_loads() -> None:
    """The example of the specification loads unchanged and means what it says."""
    definition = load_definition(PRINTED)
    generate = definition.steps[1]
    assert (definition.name, definition.type) == ("AI-Powered Content Creation", FlowType.HYBRID)
    assert [step.kind for step in definition.steps] == [
        Kind.VALIDATION,
        Kind.AGENT,
        Kind.CONDITION,
        Kind.AGENT,
    ]
    assert (generate.agent, generate.action) == ("social-media-content", "create_content")
    assert (generate.timeout_ms, generate.retry) == (300_000, Retry(max_attempts=3, backoff_factor=2.0))
    assert definition.steps[2].conditions == ("quality_score >= 75",)
    assert definition.steps[3].when == "quality_score < 75"
    assert definition.connections[2].condition == "quality_score < 75"
    assert definition.triggers == (
        ScheduleTrigger(schedule="0 9 * * 1-5"),
        EventTrigger(event_type="campaign.content_requested"),
    )


@pytest.mark.parametrize("number", range(5))
def test_every_type_of_the_specification_loads(number) -> None:
    """Sequential, parallel, conditional, event-driven and hybrid workflows load and can be run."""
    written = yaml.safe_load(TYPES)["workflows"][number]
    definition = definition_from({"workflow": written["workflow"]})
    assert definition.type == ["sequential", "parallel", "conditional", "event_driven", "hybrid"][number]
    assert build_graph(definition).bodies[""].roots


@pytest.mark.parametrize(
    "text", [PRINTED, *(yaml.dump(w["workflow"]) for w in yaml.safe_load(TYPES)["workflows"])]
)
def test_a_definition_goes_to_data_and_back(text) -> None:
    """Data, YAML and JSON made from a definition give the same definition under the same hash."""
    definition = load_definition(text)
    written = definition_to_dict(definition)
    for again in (
        definition_from(written),
        load_definition(yaml.dump(written)),
        load_definition(json.dumps(written)),
        definition_from(written["workflow"]),
    ):
        assert again == definition
        assert again.content_hash == definition.content_hash


def test_every_key_survives_the_way_to_data_and_back() -> None:
    """Nothing that a definition can say is lost or changed."""
    definition = definition_from(
        data(
            {
                "id": "a", "type": "agent", "agent": "notifier", "action": "send_notification",
                "parameters": {"q": "${item}", "n": None, "l": [1, 2.5, True]}, "foreach": "${input.rows}",
                "when": "input.go", "conditions": ["input.n > 1", {"expression": "input.s", "operator": "in",
                "value": ["x", 'q"', None]}], "max_parallel": 3, "timeout": 90, "on_error": "continue",
                "ends_as": "blocked", "compensate": {"agent": "notifier", "action": "send_notification",
                "parameters": {"q": "${output.q}"}, "timeout": "30s", "retry_policy": {"max_attempts": 7}},
                "retry_policy": {"initial": "250ms", "backoff_factor": 3, "max": "1h", "jitter": 0},
            },
            {"id": "b", "type": "condition", "conditions": ["a.x == 1"]},
            {"id": "c", "type": "approval", "parameters": {"reason": "r", "roles": ["boss"]}, "timeout": "2d",
             "required": 2, "approvers": ["ann", "${input.manager}"], "reject_after": 2,
             "not_requester": True, "on_expiry": "approve"},
            {"id": "d", "type": "wait", "duration": "36h"},
            {"id": "e", "type": "subworkflow", "workflow": "${ steps.a.plan }", "parameters": {"x": 1}},
            {"id": "g", "type": "wait_for_event", "event": "order.*", "filter": "${ event.data.n > 1 }",
             "timeout": "2h"},
            {"id": "h", "type": "emit", "event": "order.${input.kind}", "data": {"n": "${input.n}"},
             "subject": "o/1", "retry_policy": {}},
            {"id": "i", "type": "http", "method": "POST", "url": "https://a.example/${input.n}",
             "body": ["${x}"], "headers": {"Authorization": {"secret": "A"}}, "query": {"q": 1},
             "effect": "at_most_once",
             "timeout": "5s", "compensate": {"agent_type": "http", "action": "send"}},
            {"id": "j", "type": "http", "url": "${input.url}"},
            {"id": "k", "type": "notify", "message": "n is ${item}", "foreach": "input.rows",
             "level": "error", "to": ["ann"], "channels": ["in_app", "email"], "subject": "n"},
            {"id": "f", "type": "transform", "parameters": {"y": "${steps['a'].z}"}},
            connections=[{"from": "b", "to": "c", "on": "false"},
                         {"from": "d", "to": "e", "condition": "${x} "}],
            output={"z": "${steps.f.y}"}, description="d", type="event-driven",
            triggers=[{"type": "event", "event_type": "e", "input": {"k": [None]}}],
        )
    )  # fmt: skip
    step = definition.steps[0]
    assert step.when == '(input.go) && (input.n > 1) && (input.s in ["x", "q\\"", null])'
    assert step.retry == Retry(
        max_attempts=3, initial_ms=250, backoff_factor=3.0, max_ms=3_600_000, jitter=0.0
    )
    assert (step.timeout_ms, definition.steps[2].timeout_ms, definition.steps[3].wait_ms) == (
        90_000,
        172_800_000,
        129_600_000,
    )
    assert (definition.connections[1].condition, definition.type) == ("x", FlowType.EVENT_DRIVEN)
    assert definition_from(json.loads(json.dumps(definition_to_dict(definition)))) == definition
    build_graph(definition)


def test_every_key_of_the_flow_survives_the_way_to_data_and_back() -> None:
    """Branches, joins, blocks and what stands in for a result."""
    worker = {"type": "agent", "agent": "notifier", "action": "send_notification"}
    other = {"agent_type": "inventory", "action": "check_stock", "parameters": {"n": "${error.code}"}}
    definition = definition_from(
        data(
            {"id": "way", "type": "switch", "on": "${input.v}", "default": "b",
             "cases": [{"value": None, "to": "a"}, {"value": {"x": [1]}, "to": "b"}]},
            {"id": "ask", "type": "switch", "cases": [{"when": "${ n > 1 }", "to": "c"}], "default": "d"},
            {"id": "a", "fallback": other, "output": {"id": "${result.id}"}, **worker},
            {"id": "b", "fallback": {"value": {"n": "${input.n}"}}, "on_error": {"fallback": "d"}, **worker},
            {"id": "c", "fallback": "continue", "output": "${result}", **worker},
            {"id": "d", "type": "wait", "until": "input.at", "join": "any", "cancel_rest": True},
            {"id": "e", "type": "delay", "duration": "1h", "join": {"n": 2}},
            {"id": "p", "type": "parallel", "timeout": "5m", "branches": [[{"id": "p1", "type": "transform"}],
             [{"id": "p2", "type": "transform"}, {"id": "p3", "type": "transform"}]]},
            {"id": "l", "type": "loop", "while": "n < 3", "until": "n > 3", "max_iterations": 7, "steps": [
                {"id": "l1", "type": "transform"},
                {"id": "f", "type": "foreach", "foreach": "input.rows", "max_parallel": 2,
                 "output": {"n": "${item}"},
                 "steps": [{"id": "f1", "type": "transform"}, {"id": "f2", "type": "transform"}],
                 "connections": [{"from": "f1", "to": "f2", "condition": "item.x"}]},
            ]},
            connections=[{"from": "a", "to": "d"}, {"from": "a", "to": "e"}, {"from": "c", "to": "e"}],
            timeout="3h",
        )
    )  # fmt: skip
    steps = {step.id: step for step in definition.every_step()}
    assert list(steps)[-4:] == ["l1", "f", "f1", "f2"]
    assert (steps["d"].join, steps["e"].join, steps["e"].kind) == (1, 2, Kind.WAIT)
    assert (steps["c"].fallback, steps["b"].fallback_step) == (Fallback(), "d")
    assert [len(branch) for branch in steps["p"].branches] == [1, 2]
    assert definition.timeout_ms == 3 * 3_600_000
    written = definition_to_dict(definition)
    for again in (
        definition_from(written),
        load_definition(yaml.dump(written)),
        load_definition(json.dumps(written)),
    ):
        assert again == definition
        assert again.content_hash == definition.content_hash
    build_graph(definition)


def test_equal_definitions_have_equal_hashes() -> None:
    """What is written out as it would be anyway makes no other version; what differs does."""
    step = {"id": "a", "type": "agent", "agent_type": "notifier", "action": "send_notification"}
    written_out = {
        "on_error": "fail",
        "max_parallel": 16,
        "foreach": "x",
        "retry_policy": {"backoff_factor": 2.0},
    }
    short = definition_from(data({"foreach": "x", "retry_policy": {}, **step}, type="sequential"))
    assert definition_from(data(written_out | step)).content_hash == short.content_hash
    assert definition_from(data({**step, "foreach": "y"})).content_hash != short.content_hash


@pytest.mark.parametrize("word", ["event_driven", "event-driven", "event"])
def test_event_driven_is_spelt_in_three_ways(word) -> None:
    """All spellings mean the same type."""
    definition = definition_from(data({"id": "a", "type": "transform"}, type=word))
    assert definition.type is FlowType.EVENT_DRIVEN


@pytest.mark.parametrize(
    ("written", "expected_ms"),
    [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("2d", 172_800_000), (90, 90_000)],
)
def test_durations(written, expected_ms) -> None:
    """A number with a unit, or whole seconds."""
    definition = definition_from(data({"id": "a", "type": "wait", "duration": written}))
    assert definition.steps[0].wait_ms == expected_ms


def test_without_a_retry_policy_there_is_one_attempt() -> None:
    """A policy that says nothing gives three attempts; no policy gives one; a first wait may be long."""
    keys = {"type": "agent", "agent_type": "notifier", "action": "send_notification"}
    policies: list[Any] = [None, {}, {"initial": "5m"}]
    steps = [{"id": f"s{n}", "retry_policy": policy, **keys} for n, policy in enumerate(policies)]
    none, empty, slow = (step.retry for step in definition_from(data(*steps)).steps)
    assert (none, empty) == (Retry(), Retry(max_attempts=3))
    assert (slow.initial_ms, slow.max_ms) == (300_000, 300_000)


def test_an_approval_may_carry_its_timeout_among_its_parameters() -> None:
    """The form of the specification's example has the same effect as the key."""
    step = {"id": "a", "type": "approval", "parameters": {"roles": ["approver"], "timeout": "1h"}}
    definition = definition_from(data(step))
    assert definition.steps[0].timeout_ms == 3_600_000
    assert definition_from(definition_to_dict(definition)) == definition


@pytest.mark.parametrize(
    ("condition", "compiled"),
    [
        ("n > 1", "n > 1"),
        ("${ n > 1 }", "n > 1"),
        ({"expression": "quality_score >= 75", "operator": "greater_or_equal"}, "quality_score >= 75"),
        ({"expression": "quality_score", "operator": "greater_or_equal", "value": 75}, "quality_score >= 75"),
        ({"expression": "n", "operator": "equal", "value": None}, "n == null"),
        ({"expression": "n", "operator": "not_equal", "value": 'a"b\n'}, 'n != "a\\"b\\n"'),
        ({"expression": "a + b", "operator": "less_than", "value": 1.5}, "(a + b) < 1.5"),
        ({"expression": "n", "operator": "less_or_equal", "value": True}, "n <= true"),
        ({"expression": "n", "operator": "greater_than", "value": 0}, "n > 0"),
        ({"expression": "n", "operator": "in", "value": ["a", 1]}, 'n in ["a", 1]'),
        ({"expression": "s", "operator": "matches", "value": "^a"}, 's.matches("^a")'),
        ({"expression": "s", "operator": "contains", "value": 1}, "1 in s"),
        (
            {"expression": "s", "operator": "contains", "value": "a"},
            'type(s) == list ? "a" in s : s.contains("a")',
        ),
        ({"expression": "input.x", "operator": "exists"}, "has(input.x)"),
        ({"expression": "has(input.x)", "operator": "exists"}, "has(input.x)"),
        ({"expression": 's.contains("a")', "operator": "contains"}, 's.contains("a")'),
        ({"expression": 'x in ["a == b"]', "operator": "in"}, 'x in ["a == b"]'),
        ({"expression": "size(x[0]) != (1)", "operator": "not_equal"}, "size(x[0]) != (1)"),
    ],
)
def test_conditions_with_an_operator_become_comparisons(condition, compiled) -> None:
    """Both forms mean the same expression."""
    definition = definition_from(data({"id": "a", "type": "condition", "conditions": [condition]}))
    assert definition.steps[0].conditions == (compiled,)


@pytest.mark.parametrize(
    "value", ["a", "[1]", "0 9 * * 1-5", "2024-01-01", "12:30", "yes", "off", "0o7", "1_000"]
)
def test_words_of_old_yaml_stay_text(value) -> None:
    """Dates, times and yes are text, as in JSON."""
    text = f'name: x\nsteps:\n- {{id: a, type: transform, parameters: {{v: "{value}", w: {value}}}}}\n'
    if value != "[1]":
        assert load_definition(text).steps[0].parameters == {"v": value, "w": value}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("7", 7),
        ("-1", -1),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("~", None),
        ("", None),
    ],
)
def test_scalars(written, value) -> None:
    """Numbers, truth values and null are read as JSON has them."""
    loaded = load_definition(one_step("type: transform", "parameters:", f"  v: {written}"))
    assert loaded.steps[0].parameters == {"v": value}
    assert type(loaded.steps[0].parameters["v"]) is type(value)


def test_on_true_is_a_word_and_no_truth_value() -> None:
    """YAML reads `on: true` as it likes; here both are words."""
    text = """
name: x
steps:
  - {id: a, type: condition, conditions: ["true"]}
  - {id: b, type: transform}
  - {id: c, type: transform}
connections:
  - {from: a, to: b, on: true}
  - {from: a, to: c, on: "false"}
"""
    assert [connection.on for connection in load_definition(text).connections] == ["true", "false"]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_a_fix(name) -> None:
    """Each planted mistake is found where it is, under its code, with what to do about it."""
    text, code, line, column, fix = MISTAKES[name]
    found = [(p.code, p.line, p.column, p.fix) for p in problems_of(text, actions=ACTIONS, timezones=ZONES)]
    assert (code, line, column, fix) in found


def test_a_circle_names_its_steps_in_order() -> None:
    """The message shows the way round, and nothing that merely leads there."""
    steps = [{"id": name, "type": "transform"} for name in ("start", "c", "a", "b", "end")]
    ways = [("start", "c"), ("c", "a"), ("a", "b"), ("b", "c"), ("b", "end")]
    connections = [{"from": a, "to": b} for a, b in ways]
    with pytest.raises(InvalidDefinition, match="a circle: a -> b -> c -> a"):
        definition_from(data(*steps, connections=connections))


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    """One wrong key hides nothing else; the findings come in the order of the file."""
    text = one_step(
        "type: agnet", "when: a =", "timeout: 5 minutes", "parameters: {q: '${steps.b.c}'}", "colour: red"
    )
    found = problems_of(text + "connections: [{from: a, to: c}]\n")
    assert [problem.code for problem in found] == ["WF010", "WF018", "WF013", "WF019", "WF006", "WF016"]
    assert [problem.line for problem in found] == [4, 5, 6, 7, 8, 9]


def test_the_message_shows_one_line_for_each_problem() -> None:
    """File, line, column, code, what, what was expected and what to do."""
    with pytest.raises(InvalidDefinition) as caught:
        load_definition(one_step("type: wait", "duration: 5 minutes", "id2: x"), source="flows/a.yaml")
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "flows/a.yaml:5:15 WF013 '5 minutes' is not a duration — "
        "expected 250ms, 30s, 5m, 1h, 2d or whole seconds; fix: use 5m"
    )
    assert lines[1].startswith(
        "flows/a.yaml:6:5 WF006 the key 'id2' is not known here — expected one of id, "
    )
    assert caught.value.problems[0].path == "steps[0].duration"  # type: ignore[attr-defined]


def test_many_problems_are_counted_and_not_all_told() -> None:
    """The message stays readable; the problems are all there."""
    steps = [{"id": f"s{n}", "type": "transform", "oops": 1} for n in range(300)]
    with pytest.raises(InvalidDefinition) as caught:
        definition_from(data(*steps))
    assert len(caught.value.problems) == 300
    assert str(caught.value).splitlines()[-1] == "<definition>: and 200 more problems"


def test_every_code_is_explained_and_tested() -> None:
    """The table of codes and the planted mistakes cover each other."""
    assert {mistake[1] for mistake in MISTAKES.values()} == set(CODES)
    assert all(explain(code).endswith(".") for code in CODES)
    assert explain("WF999") == ""


# --- data and limits -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"x", {1: 2}, {"s"}])
def test_data_must_be_json(value) -> None:
    """A plan that comes as data is held to the same form."""
    with pytest.raises(InvalidDefinition) as caught:
        definition_from(data({"id": "a", "type": "transform", "parameters": {"v": value}}))
    [problem] = caught.value.problems
    assert isinstance(problem, Problem)
    assert (problem.code, problem.line, problem.path) == ("WF008", 0, "steps[0].parameters.v")


def test_data_is_copied() -> None:
    """Changing the data afterwards changes no definition; tuples count as lists."""
    parameters = {"v": ({"x": 1},)}
    definition = definition_from(data({"id": "a", "type": "transform", "parameters": parameters}))
    parameters["v"][0]["x"] = 2
    assert definition.steps[0].parameters == {"v": [{"x": 1}]}


def test_depth_and_number_are_bounded() -> None:
    """Nesting and the number of steps have limits, as data too."""
    deep: list[Any] = []
    for _ in range(3000):
        deep = [deep]
    for wrong, code in (
        (data({"id": "a", "type": "transform", "parameters": {"v": deep}}), "WF005"),
        (data(*({"id": f"s{n}", "type": "transform"} for n in range(10_001))), "WF009"),
    ):
        with pytest.raises(InvalidDefinition) as caught:
            definition_from(wrong)
        assert [problem.code for problem in caught.value.problems] == [code]  # type: ignore[attr-defined]


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    """Aliases are never followed."""
    lines = ['a0: &a0 ["x"]'] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert {problem.code for problem in problems_of("\n".join(lines))} >= {"WF003"}


TEXTS = st.text(alphabet="ab:-[]{}'\"&*!|>#%@`\n \t,?1.$~", max_size=60)


@settings(max_examples=400)
@given(
    st.one_of(
        TEXTS, st.text(max_size=60), TEXTS.map(lambda text: one_step("type: transform", f"when: {text}"))
    )
)
def test_no_text_breaks_the_loader(text) -> None:
    """Whatever one writes, the answer is a definition or a list of problems, each with its place."""
    try:
        assert isinstance(load_definition(text), Definition)
    except InvalidDefinition as error:
        lines = text.count("\n") + 1
        places = [(p.line, p.column) for p in error.problems if isinstance(p, Problem)]
        assert places
        assert all(1 <= line <= lines + 1 and column >= 1 for line, column in places)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WORDS = ["from", "to", "on", "condition", "while", "when", "value", "n"]
KEYS = st.sampled_from([*WrittenWorkflow.model_fields, *WrittenStep.model_fields, *WORDS])
SHAPES = st.dictionaries(
    KEYS, JSON | st.lists(st.dictionaries(KEYS, JSON, max_size=5), max_size=3), max_size=6
)


@settings(max_examples=300)
@given(SHAPES)
def test_no_data_breaks_the_loader(shape) -> None:
    """Whatever data comes, the answer is a definition or a list of problems."""
    try:
        build_graph(definition_from({"workflow": shape}))
    except InvalidDefinition as error:
        written = [str(problem) for problem in error.problems]
        assert "WF" in written[0]
