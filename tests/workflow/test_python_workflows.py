"""Workflows written in Python are the very same definitions that files make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import dirigent.workflow
from dirigent import Dirigent
from dirigent.domain.errors import InvalidDefinition, InvalidInput
from dirigent.domain.workflow import Definition, Kind
from dirigent.interpreter.loading import load_definition
from dirigent.workflow import (
    Expression,
    agent,
    approval,
    case,
    choose,
    condition,
    contains,
    emit,
    event,
    expr,
    foreach,
    has,
    http,
    index,
    input_,
    instead,
    item,
    loop,
    matches,
    notify,
    on_api,
    on_demand,
    on_event,
    on_schedule,
    on_webhook,
    one_of,
    parallel,
    previous,
    result,
    retry,
    run,
    scheduled_at,
    size,
    step,
    subworkflow,
    switch,
    transform,
    undo,
    validation,
    wait,
    wait_for_event,
    workflow,
)

ROOT = Path(__file__).parents[2]
PRINTED = (ROOT / "tests/fixtures/002-01-content-creation-workflow.yaml").read_text(encoding="utf-8")
WIN_BACK = (ROOT / "examples/workflows/win_back.yaml").read_text(encoding="utf-8")


def of_file(text: str) -> Definition:
    """What a file says, given as the lines of its steps, or as a whole."""
    return load_definition(text if text.startswith("name:") else f"name: x\nsteps:\n{text}")


SMALL, LARGE, LAST = transform("small"), transform("large"), transform("k")
A = agent("a", "crm", "get", {}, fallback=instead("crm", "guess", {"n": input_.n}))
B = agent("b", "crm", "get", fallback=instead(value={"n": 0}), output={"n": result.n}, on_error=LAST)
EQUAL = {
    "agent": (
        lambda: workflow(
            "x",
            agent(
                "score",
                "lead_scorer",
                "score_lead",
                {"lead": item, "at": index, "text": f"for {input_.name}", "deep": [{"n": input_.n}]},
                foreach=input_.leads,
                max_parallel=3,
                timeout=timedelta(seconds=90),
                retry_policy=retry(
                    4, initial=timedelta(milliseconds=250), backoff_factor=3, max="1h", jitter=0
                ),
                when=has(input_.leads) & (size(input_.leads) > 0),
                on_error="continue",
                ends_as="blocked",
                compensate=undo("lead_scorer", "forget", {"id": input_.id}, timeout="5m"),
            ),
        ),
        """\
  - id: score
    type: agent
    agent_type: lead_scorer
    action: score_lead
    parameters: {lead: "${item}", at: "${index}", text: "for ${input.name}", deep: [{n: "${input.n}"}]}
    foreach: input.leads
    max_parallel: 3
    timeout: 90s
    retry_policy: {max_attempts: 4, initial: 250ms, backoff_factor: 3, max: 1h, jitter: 0}
    when: has(input.leads) && (size(input.leads) > 0)
    on_error: continue
    ends_as: blocked
    compensate: {agent_type: lead_scorer, action: forget, parameters: {id: "${input.id}"}, timeout: 5m}
""",
    ),
    "validation": (
        lambda: workflow(
            "x",
            validation("v", input_.n > 1, required_fields=["n"], code="too_few", message=f"only {input_.n}"),
        ),
        "  - {id: v, type: validation, conditions: [input.n > 1], parameters: "
        "{required_fields: [n], code: too_few, message: 'only ${input.n}'}}\n",
    ),
    "condition": (
        lambda: workflow("x", condition("c", input_.n > 1, "input.s in ['a']")),
        "  - {id: c, type: condition, conditions: [input.n > 1, \"input.s in ['a']\"]}\n",
    ),
    "transform": (
        lambda: workflow("x", transform("t", {"n": input_.n + 1, "of": run.actor}), output={"n": expr("n")}),
        "name: x\nsteps: [{id: t, type: transform, parameters: {n: '${input.n + 1}', of: '${run.actor}'}}]\n"
        "output: {n: '${n}'}\n",
    ),
    "approval": (
        lambda: workflow(
            "x",
            approval("a", {"reason": "Send?"}, timeout="1d"),
            approval(
                "b",
                approvers=["ann", "ben", "cleo"],
                roles=["boss"],
                required=2,
                reject_after=2,
                not_requester=True,
                on_expiry="reject",
            ),
        ),
        "  - {id: a, type: approval, parameters: {reason: Send?}, timeout: 1d}\n"
        "  - {id: b, type: approval, approvers: [ann, ben, cleo], roles: [boss], required: 2, "
        "reject_after: 2, not_requester: true, on_expiry: reject}\n",
    ),
    "wait": (
        lambda: workflow("x", wait("w", timedelta(hours=36))),
        "  - {id: w, type: wait, duration: 36h}\n",
    ),
    "wait_for_event": (
        lambda: workflow("x", wait_for_event("p", "order.paid", filter=event.data.n > 1, timeout=60)),
        "  - {id: p, type: wait_for_event, event: order.paid, filter: event.data.n > 1, timeout: 1m}\n",
    ),
    "emit": (
        lambda: workflow("x", emit("e", "order.paid", {"n": input_.n}, subject="o/1", when=has(input_.n))),
        "  - {id: e, type: emit, event: order.paid, data: {n: '${input.n}'}, subject: o/1,\n"
        "     when: has(input.n)}\n",
    ),
    "http": (
        lambda: workflow("x", http("h", input_.url, "POST", body={"n": 1}, effect="read", timeout=5)),
        "  - {id: h, type: http, url: '${input.url}', method: POST, body: {n: 1}, effect: read,\n"
        "     timeout: 5}\n",
    ),
    "notify": (
        lambda: workflow("x", notify("n", "look", level="error", to=["ann"], channels=["in_app"])),
        "  - {id: n, type: notify, message: look, level: error, to: [ann], channels: [in_app]}\n",
    ),
    "subworkflow": (
        lambda: workflow("x", subworkflow("s", "other", {"n": 1}), subworkflow("t", input_.plan)),
        "  - {id: s, type: subworkflow, workflow: other, parameters: {n: 1}}\n"
        "  - {id: t, type: subworkflow, workflow: '${input.plan}'}\n",
    ),
    "switch": (
        lambda: workflow(
            "x",
            switch("w", case(SMALL, when=input_.n < 5), case("large", when="input.n >= 5"), default=SMALL),
            SMALL,
            LARGE,
        ),
        "  - {id: w, type: switch, default: small,\n"
        "     cases: [{when: input.n < 5, to: small}, {when: input.n >= 5, to: large}]}\n"
        "  - {id: small, type: transform}\n"
        "  - {id: large, type: transform}\n",
    ),
    "switch by value": (
        lambda: workflow(
            "x", switch("w", case(SMALL, value="s"), case(LARGE, value=3), on=input_.kind), SMALL, LARGE
        ),
        "  - {id: w, type: switch, on: input.kind, cases: [{value: s, to: small}, {value: 3, to: large}]}\n"
        "  - {id: small, type: transform}\n"
        "  - {id: large, type: transform}\n",
    ),
    "parallel": (
        lambda: workflow(
            "x",
            parallel("p", SMALL, LARGE, timeout="1h", output={"both": result.small}),
            parallel("q", branches=[[transform("a"), transform("b")], [transform("c")]]),
            parallel("r", transform("d") >> transform("e"), transform("f"), fallback="continue"),
        ),
        "  - {id: p, type: parallel, timeout: 1h, output: {both: '${result.small}'},\n"
        "     steps: [{id: small, type: transform}, {id: large, type: transform}]}\n"
        "  - {id: q, type: parallel, branches: [[{id: a, type: transform}, {id: b, type: transform}],\n"
        "     [{id: c, type: transform}]]}\n"
        "  - {id: r, type: parallel, fallback: continue, connections: [{from: d, to: e}],\n"
        "     steps: [{id: d, type: transform}, {id: e, type: transform}, {id: f, type: transform}]}\n",
    ),
    "loop": (
        lambda: workflow(
            "x",
            loop(
                "l",
                transform("draft", {"n": index, "last": previous}),
                max_iterations=5,
                until=expr("steps.draft.n > 3"),
                timeout="1h",
            ),
            loop("m", transform("again"), max_iterations=2, while_=input_.go),
        ),
        "  - {id: l, type: loop, max_iterations: 5, until: steps.draft.n > 3, timeout: 1h,\n"
        "     steps: [{id: draft, type: transform, parameters: {n: '${index}', last: '${previous}'}}]}\n"
        "  - {id: m, type: loop, max_iterations: 2, while: input.go,\n"
        "     steps: [{id: again, type: transform}]}\n",
    ),
    "foreach": (
        lambda: workflow(
            "x", foreach("f", input_.rows, transform("t", {"n": item.n}), max_parallel=4, timeout=60)
        ),
        "  - {id: f, type: foreach, foreach: input.rows, max_parallel: 4, timeout: 1m,\n"
        "     steps: [{id: t, type: transform, parameters: {n: '${item.n}'}}]}\n",
    ),
    "joins and fallbacks": (
        lambda: workflow(
            "x",
            [A, B] >> transform("j", join="any", cancel_rest=True),
            A.error >> SMALL,
            LAST,
        ),
        "name: x\nsteps:\n"
        "  - {id: a, type: agent, agent: crm, action: get, parameters: {},\n"
        "     fallback: {agent: crm, action: guess, parameters: {n: '${input.n}'}}}\n"
        "  - {id: b, type: agent, agent: crm, action: get, fallback: {value: {n: 0}},\n"
        "     output: {n: '${result.n}'}, on_error: {fallback: k}}\n"
        "  - {id: j, type: transform, join: any, cancel_rest: true}\n"
        "  - {id: small, type: transform}\n"
        "  - {id: k, type: transform}\n"
        "connections: [{from: a, to: j}, {from: b, to: j}, {from: a, to: small, on: error}]\n",
    ),
    "wait until": (
        lambda: workflow(
            "x", wait("w", until=datetime(2026, 12, 24, 18, tzinfo=UTC)), wait("v", until=input_.at)
        ),
        "  - {id: w, type: wait, until: '\"2026-12-24T18:00:00+00:00\"'}\n"
        "  - {id: v, type: wait, until: input.at}\n",
    ),
    "any other": (
        lambda: workflow("x", step("w", "wait", duration="5m", when=~has(input_.skip))),
        "  - {id: w, type: wait, duration: 5m, when: '!has(input.skip)'}\n",
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_a_step_in_python_is_the_step_of_a_file(name) -> None:
    """Each kind of step, with all its keys, gives the same definition under the same hash."""
    made, text = EQUAL[name]
    assert made() == of_file(text)
    assert made().content_hash == of_file(text).content_hash


def test_every_name_is_there() -> None:
    """What the package says it has, it has; and nothing else that could be meant is left out."""
    names = set(dirigent.workflow.__all__)
    assert names == {name for name in vars(dirigent.workflow) if name in names}
    kinds = {kind.value for kind in Kind}
    assert kinds <= names, "a kind of step has no function in dirigent.workflow"
    assert kinds <= set(EQUAL), "a kind of step has no example here"


def test_the_printed_workflow() -> None:
    """The example of the specification, written in Python, is the same version."""
    platform = "social-media-content"
    validate = validation("validate_input", required_fields=["brand_id", "content_topic"])
    generate = agent(
        "generate_content",
        platform,
        "create_content",
        timeout="5m",
        retry_policy=retry(3, backoff_factor=2.0),
    )
    gate = condition("quality_gate", "quality_score >= 75")
    optimize = agent("optimize_content", platform, "enhance_content", when="quality_score < 75")
    made = workflow(
        "AI-Powered Content Creation",
        validate >> generate >> gate,
        gate.where("quality_score < 75") >> optimize,
        type="hybrid",
        triggers=[on_schedule("0 9 * * 1-5"), on_event("campaign.content_requested")],
    )
    assert made.content_hash == load_definition(PRINTED).content_hash


def test_an_example_in_python() -> None:
    """A longer workflow, with expressions made of the steps' outputs."""
    find = agent(
        "find",
        "revival_engine",
        "find_dormant",
        {"limit": choose(has(input_.limit), input_.limit, 5), "segment": "enterprise"},
    )
    leads = find.output.leads
    found = validation(
        "found",
        size(leads) > 0,
        code="no_dormant_leads",
        message=find.output.detail,
        ends_as="blocked",
    )
    research = agent(
        "research",
        "researcher",
        "research_lead",
        {"lead_id": item.lead_id, "customer_id": item.customer_id},
        foreach=leads,
        max_parallel=3,
        retry_policy=retry(3, initial="500ms", backoff_factor=2.0),
        timeout="30s",
        on_error="continue",
    )
    customers = expr("steps.find.leads.map(lead, lead.customer_id)")
    agree = approval(
        "agree",
        {
            "reason": "Win back these customers?",
            "customers": customers,
            "silent_days": expr("steps.find.leads.map(lead, lead.days_silent)"),
        },
        timeout="1d",
        ends_as="rejected",
    )
    text = f"Agreed to win back {size(leads)} silent customers"
    data = {"customers": customers, "comment": agree.output.comment}
    remember = agent(
        "remember", "rag_service", "store", {"item": {"kind": "fact", "text": text, "data": data}}
    )
    made = workflow(
        "win_back",
        find,
        found,
        research,
        agree,
        remember,
        description="Agree on the silent customers to win back.",
        output={
            "customers": customers,
            "researched": expr("steps.research.results.filter(dossier, dossier != null).size()"),
            "agreed_by": agree.output.by,
            "remembered_as": remember.output.id,
        },
    )
    assert made.content_hash == load_definition(WIN_BACK).content_hash


def test_triggers() -> None:
    """Every kind of trigger, with all its keys."""
    made = workflow(
        "x",
        transform("t"),
        triggers=[
            on_schedule(
                "0 9 * * *",
                timezone="Europe/Berlin",
                input={"day": scheduled_at},
                catch_up=True,
                overlap="skip",
            ),
            on_event("order.*", filter=event.data.total > 5, input={"id": event.data.id}, overlap="queue"),
            on_webhook("shop", event_type="order.paid", filter=contains(event.data.no, "A")),
            on_schedule(every="15m", jitter="1m", catch_up=3),
            on_schedule(at="2026-12-24T18:00:00"),
            on_api({"n": 1}),
            on_demand(),
        ],
        input={"properties": {"n": {"type": "integer"}}},
    )
    text = """
name: x
input: {properties: {n: {type: integer}}}
triggers:
  - {type: schedule, schedule: "0 9 * * *", timezone: Europe/Berlin, input: {day: "${schedule.at}"},
     catch_up: true, overlap: skip}
  - {type: event, event_type: order.*, filter: event.data.total > 5, input: {id: "${event.data.id}"},
     overlap: queue}
  - {type: webhook, webhook: shop, event_type: order.paid, filter: 'event.data.no.contains("A")'}
  - {type: schedule, every: 15m, jitter: 1m, catch_up: 3}
  - {type: schedule, at: "2026-12-24T18:00:00"}
  - {type: api, input: {n: 1}}
  - {type: manual}
steps: [{id: t, type: transform}]
"""
    assert made.content_hash == load_definition(text).content_hash


def ways(definition: Definition) -> list[str]:
    return [f"{way.source}>{way.target}{way.on and ':' + way.on}" for way in definition.connections]


def test_ways_between_steps() -> None:
    """Chains, fanning out and in, branches, errors and conditions."""
    a, b, c, d, e = (transform(name) for name in "abcde")
    gate = condition("gate", "input.x > 1")
    assert ways(workflow("x", a >> b >> c)) == ["a>b", "b>c"]
    assert ways(workflow("x", a >> [b, c] >> d)) == ["a>b", "a>c", "b>d", "c>d"]
    assert ways(workflow("x", [a, b] >> c)) == ["a>c", "b>c"]
    assert ways(workflow("x", a >> [b >> c, d] >> e)) == ["a>b", "a>d", "b>c", "c>e", "d>e"]
    assert ways(workflow("x", a >> gate, gate.true >> b >> c, gate.false >> d)) == [
        "a>gate",
        "gate>b:true",
        "b>c",
        "gate>d:false",
    ]
    assert ways(workflow("x", a.error >> b)) == ["a>b:error"]
    assert ways(workflow("x", [a >> b, c], c >> b)) == ["a>b", "c>b"]
    [conditional] = workflow("x", a.where(a.output.n > 1) >> b).connections
    assert conditional.condition == "steps.a.n > 1"
    assert workflow("x", a, b).connections == ()


def test_steps_stand_in_the_order_in_which_they_are_named() -> None:
    """A step that stands in several chains is one step."""
    a, b, c = (transform(name) for name in "abc")
    assert [step.id for step in workflow("x", a >> c, b >> c, a >> b).steps] == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("expression", "source"),
    [
        (input_.lead.name, "input.lead.name"),
        (input_["first name"][0], 'input["first name"][0]'),
        (transform("my-step").output.n, 'steps["my-step"].n'),
        ((input_.a + 1) * 2 - input_.b / 4, "((input.a + 1) * 2) - (input.b / 4)"),
        (2.0 * input_.a, "2.0 * input.a"),
        (1 - input_.a, "1 - input.a"),
        ((input_.a == "x") & ~(input_.b != None), '(input.a == "x") && !(input.b != null)'),  # noqa: E711
        ((input_.a <= 1) | (input_.a >= input_.b), "(input.a <= 1) || (input.a >= input.b)"),
        (~has(input_.a) & (size(input_.l) < 3), "!has(input.a) && (size(input.l) < 3)"),
        (one_of(input_.p, ["x", 'q"']), 'input.p in ["x", "q\\""]'),
        (matches(input_.s, "^a+$"), 'input.s.matches("^a+$")'),
        (choose(input_.n > 1, {"few": [True, input_.n]}, {}), None),
        (expr("a.map(x, x.y)")[0].size, "a.map(x, x.y)[0].size"),
        ((expr("a ? b : c") == 1), "(a ? b : c) == 1"),
        (input_.a == "Grüße", 'input.a == "Grüße"'),
    ],
)  # fmt: skip
def test_expressions_print_as_cel(expression, source) -> None:
    """Operators, paths, literals: with brackets where they are needed and nowhere else."""
    source = source or 'input.n > 1 ? {"few": [true, input.n]} : {}'
    assert str(expression) == f"${{{source}}}"
    assert f"{expression}" == str(expression)
    assert workflow("x", transform("t", {"v": expression}), transform("my-step")).steps


@pytest.mark.parametrize(
    "use",
    [
        lambda: bool(input_.a),
        lambda: input_.a and input_.b,  # type: ignore[redundant-expr, unreachable]
        lambda: not input_.a,
        lambda: 1 < input_.a < 3,
        lambda: list(input_.a),
        lambda: "x" in input_.a,
    ],
)
def test_what_python_would_decide_at_once_is_refused(use) -> None:
    """Python's own and, or, not, in and chains would silently lose half of the expression."""
    with pytest.raises(TypeError, match="before the workflow runs"):
        use()


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, b"x"])
def test_what_cannot_be_written_in_an_expression_is_refused(value) -> None:
    """With a sentence instead of a broken expression."""
    with pytest.raises(InvalidInput, match="cannot stand in an expression"):
        _ = input_.a == value
    with pytest.raises(InvalidInput, match="is no expression"):
        condition_of(3)


def condition_of(value: Any) -> Definition:
    return workflow("x", transform("t", when=value))


def test_mistakes_have_the_codes_of_files() -> None:
    """Everything is checked as in a file, all at once, each mistake with its path."""
    with pytest.raises(InvalidDefinition) as caught:
        workflow(
            "x",
            wait("w", "5 minutes"),
            agent("a", "nobody", "act", {"n": transform("gone").output.n}),
            wait("w", "5m"),
            type="sequentiel",
            triggers=[on_schedule("daily", timezone="Mars")],
            actions={"lead_scorer": {"score_lead"}},
            colour="red",
        )
    codes = {(problem.code, problem.path) for problem in caught.value.problems}  # type: ignore[attr-defined]
    assert codes == {
        ("WF006", "colour"),
        ("WF010", "type"),
        ("WF012", "steps[2].id"),
        ("WF013", "steps[0].duration"),
        ("WF019", "steps[1].parameters.n"),
        ("WF022", "steps[1].agent"),
        ("WF030", "triggers[0].schedule"),
        ("WF031", "triggers[0].timezone"),
    }
    assert str(caught.value).startswith("workflow('x'):")


async def test_it_runs_and_is_stored(tmp_path: Path) -> None:
    """A definition made in Python is run, stored, given back as YAML and found to be the same version."""
    double = transform("double", {"n": input_.n * 2})
    made = workflow("twice", double >> transform("tell", {"text": f"It is {double.output.n}."}))
    async with Dirigent(tmp_path) as dirigent:
        assert (await dirigent.run(made, {"n": 21})).output == {"text": "It is 42."}
        await dirigent.library.save(made, tenant="default", actor="ann")
        source = dirigent.library.get("default", "twice").source
        assert yaml.safe_load(source)["workflow"]["steps"][0]["parameters"] == {"n": "${input.n * 2}"}
        assert not (await dirigent.library.save(source, tenant="default", actor="ann")).is_new


def test_an_expression_says_what_it_is() -> None:
    """For whoever prints it while writing a workflow."""
    assert repr(input_.n > 1) == "Expression('input.n > 1')"
    assert isinstance(input_.n, Expression)
    assert hash(input_.n) == hash(input_.n)
