"""Workflows that load and yet deserve advice, each with code, line, column and fix; and some that do not."""

from typing import Any

from dirigent.domain.agent import Effect
from dirigent.interpreter.inputs import Misfit
from dirigent.interpreter.lint import ActionFacts


def misfits_of(takes: tuple[str, ...], given: Any) -> list[Misfit]:
    """An action that needs its first input as a number, and knows no others than those it takes."""
    found = [
        Misfit(path=(name,), value=None, text=f"{name} is not known", expected="an input", unknown=True)
        for name in given
        if name not in takes
    ]
    if takes and takes[0] not in given:
        found.append(
            Misfit(path=takes[:1], value=None, text=f"{takes[0]} is missing", expected=takes[0], missing=True)
        )
    return found


def action(effect: Effect, takes: tuple[str, ...] = (), gives: set[str] | None = None) -> ActionFacts:
    """What is known of a made-up action."""
    return ActionFacts(
        effect=effect,
        timed=False,
        gives=None if gives is None else frozenset(gives),
        takes=takes,
        misfits=lambda given: misfits_of(takes, given),
    )


FACTS = {
    ("mail", "send"): action(Effect.AT_MOST_ONCE, ("to", "text"), {"sent"}),
    ("books", "find"): action(Effect.READ, (), {"rows"}),
    ("books", "save"): action(Effect.KEYED, (), {"saved"}),
    ("crm", "score"): action(Effect.PURE, (), {"score"}),
    ("crm", "guess"): action(Effect.PURE, (), {"score"}),
    ("crm", "anything"): action(Effect.KEYED),
    ("http", "send_once"): action(Effect.AT_MOST_ONCE),
}


def flow(*steps: str, then: str = "") -> str:
    """A workflow whose first step stands in line 3."""
    return "name: x\nsteps:\n" + "".join(f"  - {step}\n" for step in steps) + then


NEEDS = "{id: v, type: validation, parameters: {required_fields: [brand_id, topic]}}"
LAST = "{id: z, type: transform, parameters: {b: '${input.brand_id}', t: '${topic}'}}"
SCORE = "{id: s, type: agent, agent: crm, action: score}"
GUESS = "{id: g, type: agent, agent: crm, action: guess}"
SAVE = "{id: k, type: agent, agent: books, action: save}"
WAYS = "{id: w, type: switch, on: input.kind, cases: [{value: a, to: s}, {value: b, to: g}]}"
BRANCHES = """connections:
  - {from: c, to: s, on: true}
  - {from: c, to: g, on: false}
  - {from: s, to: e}
  - {from: g, to: e}
"""
DAILY = "triggers:\n  - {type: schedule, schedule: '0 9 * * *'"
SENT = "{id: m, type: agent, agent: mail, action: send, parameters: {to: a}"

ADVICE = {
    "a misspelt word": (
        flow(SCORE, "{id: e, type: transform, parameters: {v: '${inptu.a}', s: '${score}'}}"),
        "WL018",
        4,
        46,
        "did you mean input?",
    ),
    "steps with a letter too few": (
        flow(SCORE, "{id: e, type: transform, parameters: {v: '${step.s.score}', s: '${score}'}}"),
        "WL018",
        4,
        46,
        "did you mean steps?",
    ),
    "an event outside its filter": (
        flow("{id: w, type: wait_for_event, event: paid, timeout: 1h, filter: event.data.n > 1}",
             "{id: e, type: transform, parameters: {v: '${event.data.n}'}}"),
        "WL018",
        4,
        46,
        "event is there in a trigger and in the filter of wait_for_event; read input here",
    ),
    "a result outside an output": (
        flow(SCORE, "{id: e, type: transform, parameters: {v: '${result.score}'}}"),
        "WL018",
        4,
        46,
        "result is there in the output of a step; read steps.<id> here",
    ),
    "a field that the input does not declare": (
        flow(SCORE, "{id: e, type: transform, parameters: {v: '${score + totl}'}}",
             then="input: {properties: {total: {type: number}}}\n"),
        "WL018",
        4,
        46,
        "did you mean total?",
    ),
    "schedule without input": (
        flow(NEEDS, LAST, then=f"{DAILY}}}\n"),
        "WL001",
        6,
        5,
        "add input: {brand_id: ..., topic: ...}",
    ),
    "schedule with half its input": (
        flow(NEEDS, LAST, then=f"{DAILY}, input: {{topic: x, brand_id: ''}}}}\n"),
        "WL001",
        6,
        5,
        "add input: {brand_id: ...}",
    ),
    "event whose mapping leaves out a field": (
        flow(LAST, then="input: {required: [brand_id]}\ntriggers:\n"
             "  - {type: event, event_type: a.b, input: {topic: '${event.data.t}'}}\n"),
        "WL001",
        6,
        5,
        "add input: {brand_id: ...}",
    ),
    "two agents at once": (
        flow(SCORE, GUESS, "{id: e, type: transform, parameters: {v: '${score}'}}",
             then="connections:\n  - {from: s, to: e}\n  - {from: g, to: e}\n"),
        "WL002",
        5,
        46,
        "write steps.s.score, or steps.g.score",
    ),
    "two transforms at once, read by the output": (
        "name: x\ntype: parallel\nsteps:\n  - {id: a, type: transform, parameters: {n: 1}}\n"
        "  - {id: b, type: transform, parameters: {n: 2}}\noutput: {n: '${n}'}\n",
        "WL002",
        6,
        13,
        "write steps.a.n, or steps.b.n",
    ),
    "an agent of whose output nothing is known": (
        flow(SCORE, "{id: u, type: agent, agent: crm, action: anything}",
             "{id: e, type: condition, conditions: [score > 1]}",
             then="connections:\n  - {from: s, to: e}\n  - {from: u, to: e}\n"),
        "WL002",
        5,
        43,
        "write steps.s.score, or steps.u.score",
    ),
    "guard that never holds": (
        flow(SCORE, "{id: e, type: transform, when: 'false', parameters: {v: '${score}'}}"),
        "WL003",
        4,
        5,
        "change its guard or a way that leads to it, or remove it",
    ),
    "steps behind one that never runs": (
        flow("{id: a, type: transform, when: 1 > 2}", "{id: b, type: transform}"),
        "WL003",
        4,
        5,
        "change its guard or a way that leads to it, or remove it",
    ),
    "branch of a constant condition": (
        flow(SCORE, "{id: c, type: condition, conditions: ['1 < 2']}", SAVE,
             then="connections:\n  - {from: s, to: c}\n  - {from: c, to: k, on: false}\n"),
        "WL003",
        5,
        5,
        "change its guard or a way that leads to it, or remove it",
    ),
    "way that is never taken": (
        flow(SCORE, SAVE,
             then="connections:\n  - {from: s, to: k}\n  - {from: s, to: k, condition: 'false'}\n"),
        "WL003",
        6,
        5,
        "change its condition, or remove it",
    ),
    "condition that reads nothing": (
        flow("{id: c, type: condition, conditions: ['75 >= 75']}"),
        "WL004",
        3,
        43,
        "compare an input or an output with something, or remove it",
    ),
    "guard that always holds": (
        flow("{id: k, type: agent, agent: books, action: save, when: 'true'}"),
        "WL004",
        3,
        60,
        "compare an input or an output with something, or remove it",
    ),
    "mail without a time limit": (flow(f"{SENT}}}"), "WL005", 3, 5, "add timeout: 5m"),
    "mail that is retried": (
        flow(f"{SENT}, timeout: 5m, retry_policy: {{max_attempts: 3}}}}"),
        "WL006",
        3,
        87,
        "remove retry_policy, or declare the effect of the action",
    ),
    "approval without an end": (
        flow("{id: a, type: approval}"),
        "WL007",
        3,
        5,
        "add timeout: 24h, or what you mean",
    ),
    "transform for nobody": (
        flow("{id: t, type: transform, parameters: {a: 1}}", SAVE),
        "WL008",
        3,
        5,
        "read it, as in ${steps.t}, or remove the step",
    ),
    "look-up for nobody": (
        flow("{id: f, type: agent, agent: books, action: find}", SAVE, then="output: {x: '${saved}'}\n"),
        "WL008",
        3,
        5,
        "read it, as in ${steps.f}, or remove the step",
    ),
    "field that nobody reads": (
        flow(SAVE, then="input:\n  properties:\n    limit: {type: integer}\n"),
        "WL009",
        6,
        5,
        "read it, as in ${input.limit}, or remove it",
    ),
    "field of a trigger that nobody reads": (
        flow(SAVE, then=f"{DAILY}, input: {{limit: 5}}}}\n"),
        "WL009",
        5,
        53,
        "read it, as in ${input.limit}, or remove it",
    ),
    "trigger that the schema refuses": (
        flow("{id: t, type: transform, parameters: {n: '${input.n}'}}",
             then=f"input: {{properties: {{n: {{type: integer}}}}}}\n{DAILY}, input: {{n: many}}}}\n"),
        "WL010",
        6,
        56,
        "mend it, or change the schema under input",
    ),
    "event-driven without an event": (
        f"name: x\ntype: event-driven\nsteps:\n  - {SAVE}\n",
        "WL011",
        2,
        7,
        "add triggers: [{type: event, event_type: order.paid}]",
    ),
    "the same schedule twice": (
        flow(SAVE, then=f"{DAILY}}}\n  - {{type: schedule, schedule: '0 9 * * *', timezone: UTC}}\n"),
        "WL012",
        6,
        5,
        "remove one of the two",
    ),
    "output after a failure that was let pass": (
        flow("{id: s, type: agent, agent: crm, action: score, on_error: continue}",
             "{id: t, type: transform, parameters: {n: '${steps.s.score}'}}"),
        "WL013",
        4,
        46,
        "write steps.s != null ? ... : ..., or remove on_error",
    ),
    "output of a step with a guard": (
        flow("{id: s, type: agent, agent: crm, action: score, when: input.x > 1}",
             "{id: m, type: agent, agent: crm, action: anything}",
             "{id: t, type: transform, parameters: {n: '${steps.s.score}'}}",
             then="connections:\n  - {from: s, to: t}\n  - {from: m, to: t}\n"),
        "WL014",
        5,
        46,
        "write has(steps.s) ? ... : ..., or lead every way here through s",
    ),
    "output of one branch": (
        flow("{id: c, type: condition, conditions: [input.x > 1]}", SCORE, GUESS,
             "{id: e, type: transform, parameters: {v: '${steps.g.score}'}}", then=BRANCHES),
        "WL014",
        6,
        46,
        "write has(steps.g) ? ... : ..., or lead every way here through g",
    ),
    "output of a step beside": (
        "name: x\ntype: parallel\nsteps:\n  - {id: a, type: transform, parameters: {n: 1}}\n"
        "  - {id: b, type: transform, parameters: {m: '${steps.a.n}'}}\n",
        "WL014",
        5,
        46,
        "write has(steps.a) ? ... : ..., or lead every way here through a",
    ),
    "output of a step whose failure leads here": (
        flow(SCORE, "{id: t, type: transform, parameters: {n: '${steps.s.score}'}}",
             then="connections:\n  - {from: s, to: t, on: error}\n"),
        "WL014",
        4,
        46,
        "write has(steps.s) ? ... : ..., or lead every way here through s",
    ),
    "output that may be missing at the end": (
        flow("{id: s, type: agent, agent: crm, action: score, when: input.x > 1}",
             then="output: {n: '${steps.s.score}'}\n"),
        "WL014",
        4,
        13,
        "write has(steps.s) ? ... : ..., or lead every way here through s",
    ),
    "step that nobody connects": (
        flow(SCORE, GUESS, SAVE, then="connections:\n  - {from: s, to: k}\n"
             "output: {a: '${steps.s}', b: '${has(steps.g) ? steps.g : null}'}\n"),
        "WL015",
        4,
        5,
        "connect it, or give it a workflow of its own",
    ),
    "output that one way out of a condition does not lead to": (
        flow("{id: c, type: condition, conditions: [input.n > 1]}", "{id: q, type: notify, message: x}", SAVE,
             then="connections: [{from: c, to: q}, {from: q, to: k}]\noutput: {n: '${steps.k.saved}'}\n"),
        "WL014",
        7,
        13,
        "write has(steps.k) ? ... : ..., or lead every way here through k",
    ),
    "output behind a switch that leads elsewhere, too": (
        flow(WAYS, SCORE, GUESS, SAVE, "{id: z, type: notify, message: x}",
             then="connections: [{from: s, to: k}, {from: g, to: z}]\noutput: {n: '${steps.k.saved}'}\n"),
        "WL014",
        9,
        13,
        "write has(steps.k) ? ... : ..., or lead every way here through k",
    ),
    "parameter that the action does not know": (
        flow("{id: m, type: agent, agent: mail, action: send, timeout: 5m, parameters: {to: a, txt: b}}"),
        "WL016",
        3,
        86,
        "did you mean text?",
    ),
    "parameter that the action needs": (
        flow("{id: m, type: agent, agent: mail, action: send, timeout: 5m, parameters: {text: b}}"),
        "WL016",
        3,
        78,
        "it takes to, text",
    ),
    "parameter that the action which undoes does not know": (
        flow(SAVE[:-1] + ", compensate: {agent: mail, action: send, parameters: {to: a, txt: c}}}"),
        "WL016",
        3,
        114,
        "did you mean text?",
    ),
    "parameter that the action instead of it needs": (
        flow(SAVE[:-1] + ", fallback: {agent: mail, action: send, parameters: {text: c}}}"),
        "WL016",
        3,
        104,
        "it takes to, text",
    ),
    "word of the schema misspelt": (
        flow("{id: t, type: transform, parameters: {n: '${input.n}'}}",
             then="input:\n  properties:\n    n: {requried: true, anyOf: [{minimun: 3}]}\n"),
        "WL017",
        6,
        9,
        "did you mean required?",
    ),
}  # fmt: skip

ADVICE |= {
    "output of a case of a switch": (
        flow(WAYS, SCORE, GUESS, "{id: e, type: transform, parameters: {v: '${steps.g.score}'}}"),
        "WL014",
        6,
        46,
        "write has(steps.g) ? ... : ..., or lead every way here through g",
    ),
    "output of a step with nothing as its fallback": (
        flow("{id: s, type: agent, agent: crm, action: score, fallback: continue}",
             "{id: t, type: transform, parameters: {n: '${steps.s.score}'}}"),
        "WL013",
        4,
        46,
        "write steps.s != null ? ... : ..., or remove fallback",
    ),
    "output of whichever came first": (
        flow(SCORE, GUESS, "{id: e, type: transform, join: any, parameters: {v: '${steps.g.score}'}}",
             then="connections:\n  - {from: s, to: e}\n  - {from: g, to: e}\n"),
        "WL014",
        5,
        57,
        "write has(steps.g) ? ... : ..., or lead every way here through g",
    ),
    "a block side by side": (
        flow("{id: b, type: parallel, steps: [" + SCORE + ", " + GUESS + "], output: {v: '${score}'}}"),
        "WL002",
        3,
        148,
        "write steps.s.score, or steps.g.score",
    ),
    "a request that is sent once, without a time limit": (
        flow("{id: h, type: http, url: https://a.example, method: POST, effect: at_most_once}"),
        "WL005",
        3,
        5,
        "add timeout: 5m",
    ),
}  # fmt: skip

SOUND = {
    "words where they are": (
        flow("{id: w, type: wait_for_event, event: paid, timeout: 1h, filter: event.data.n > input.n}",
             "{id: l, type: loop, max_iterations: 3, until: previous.n > 2, steps: [{id: i, type: transform,"
             " parameters: {n: '${index}'}}]}",
             "{id: m, type: agent, agent: crm, action: anything, output: {n: '${result.saved}'},"
             " compensate: {agent: mail, action: send, parameters: {to: '${output.n}', text: x}}}",
             "{id: z, type: transform, parameters: {m: '${n}'}}")
    ),
    "names that an open input may have": (
        flow("{id: e, type: transform, parameters: {v: '${order.total + store.rate}', s: '${items}'}}")
    ),
    "a field that an action of unknown output may give": (
        flow("{id: u, type: agent, agent: crm, action: anything}",
             "{id: e, type: transform, parameters: {v: '${total}'}}",
             then="input: {properties: {n: {}}}\noutput: {n: '${n}', v: '${v}'}\n")
    ),
    "cases of a switch": flow(
        WAYS, SCORE, GUESS, "{id: e, type: transform, parameters: {v: '${score}'}}",
    ),
    "all ways out of a condition lead there": flow(
        "{id: c, type: condition, conditions: [input.n > 1]}", "{id: q, type: approval, timeout: 1h}", SAVE,
        then="connections: [{from: c, to: q}, {from: c, to: k, on: false}, {from: q, to: k}]\n"
        "output: {n: '${steps.k.saved}'}\n",
    ),
    "all ways out of conditions within conditions lead there": flow(
        "{id: c, type: condition, conditions: [input.n > 1]}",
        "{id: d, type: condition, conditions: [input.m]}",
        "{id: p, type: approval, timeout: 1h}", "{id: q, type: approval, timeout: 1h}", SAVE,
        then="connections: [{from: c, to: d}, {from: d, to: p}, {from: d, to: q, on: false},\n"
        "  {from: c, to: k, on: false}, {from: p, to: k}, {from: q, to: k}]\n"
        "output: {n: '${steps.k.saved}'}\n",
    ),
    "all ways out of a switch lead there": flow(
        WAYS, "{id: s, type: notify, message: x}", "{id: g, type: notify, message: y}", SAVE,
        then="output: {n: '${steps.k.saved}'}\n",
    ),
    "a branch that does nothing": flow(
        "{id: w, type: switch, on: input.kind, cases: [{value: a, to: s}], default: none}", SCORE,
        "{id: none, type: transform}",
        "{id: e, type: transform, parameters: {v: '${has(steps.s) ? steps.s.score : 0}'}}",
    ),
    "what acts instead": flow(SAVE[:-1] + ", fallback: {agent: mail, action: send, parameters: {to: a}}}"),
    "a loop that reads what is inside": flow(
        "{id: l, type: loop, max_iterations: 3, until: steps.s.score > 5 && index < 2, steps: ["
        + SCORE
        + ", {id: k, type: agent, agent: books, action: save, when: steps.s.score < 3 || previous != null}]}"
    ),
    "each of a list in a block": flow(
        "{id: f, type: foreach, foreach: input.rows, steps: [{id: t, type: transform, "
        "parameters: {n: '${item.n + index}'}}]}",
        "{id: u, type: transform, parameters: {all: '${steps.f.results}'}}",
    ),
    "branches that are read one by one": flow(
        "{id: b, type: parallel, steps: [" + SCORE + ", " + GUESS + "]}",
        "{id: t, type: transform, parameters: {v: '${steps.b.s.score + steps.b.g.score}'}}",
    ),
    "what is made of a result": flow(
        "{id: s, type: agent, agent: crm, action: score, output: {v: '${result.score}'}, "
        "fallback: {value: {v: 0, why: '${error.code}'}}}",
        "{id: t, type: transform, parameters: {n: '${steps.s.v}'}}",
    ),
    "what is undone": flow(
        "{id: k, type: agent, agent: books, action: save, compensate: {agent: mail, action: send, "
        "parameters: {to: '${output.saved}', text: '${steps.k.saved}'}}}"
    ),
    "schedule with its input": flow(NEEDS, LAST, then=f"{DAILY}, input: {{topic: x, brand_id: b-1}}}}\n"),
    "defaults stand in": flow(
        NEEDS, LAST,
        then="input: {required: [topic], properties: {topic: {default: x}, brand_id: {default: b}}}\n"
        f"{DAILY}}}\n",
    ),
    "the data of an event is not known": flow(
        NEEDS, LAST, then="triggers: [{type: event, event_type: a.b}]\n"
    ),
    "a validation behind a step": flow(
        SCORE, "{id: v, type: validation, parameters: {required_fields: [score]}}", then=f"{DAILY}}}\n"
    ),
    "one after the other": flow(SCORE, GUESS, "{id: e, type: transform, parameters: {v: '${score}'}}"),
    "one branch or the other": flow(
        "{id: c, type: condition, conditions: [input.x > 1]}", SCORE, GUESS,
        "{id: e, type: transform, parameters: {v: '${score}'}}", then=BRANCHES,
    ),
    "named steps at once": flow(
        SCORE, GUESS, "{id: e, type: transform, parameters: {v: '${steps.s.score + steps.g.score}'}}",
        then="connections:\n  - {from: s, to: e}\n  - {from: g, to: e}\n",
    ),
    "an output that is asked for first": flow(
        "{id: s, type: agent, agent: crm, action: score, when: input.x > 1}",
        "{id: t, type: transform, parameters: {n: '${has(steps.s) ? steps.s.score : 0}'}}",
        "{id: u, type: transform, when: '\"s\" in steps', parameters: {n: '${steps.s.score + n}'}}",
    ),
    "an output behind its own guard": flow(
        "{id: s, type: agent, agent: crm, action: score, when: input.x > 1}",
        "{id: t, type: transform, parameters: {n: '${steps.s.score}'}}",
    ),
    "a failure that is asked for": flow(
        "{id: s, type: agent, agent: crm, action: score, on_error: continue}",
        "{id: t, type: transform, parameters: {n: '${steps.s != null ? steps.s.score : 0}'}}",
    ),
    "items that may fail": flow(
        "{id: s, type: agent, agent: crm, action: score, foreach: input.rows, on_error: continue}",
        "{id: t, type: transform, parameters: {n: '${steps.s.results}'}}",
    ),
    "mail within a time": flow(f"{SENT}, timeout: 5m}}"),
    "parameters known only later": flow(
        "{id: m, type: agent, agent: mail, action: send, timeout: 5m, parameters: {to: '${input.to}'}}"
    ),
    "all steps read at once": flow(SCORE, "{id: t, type: transform, parameters: {all: '${steps}'}}"),
    "all input read at once": flow(
        "{id: t, type: transform, parameters: {all: '${input}'}}", then="input: {properties: {n: {}}}\n"
    ),
    "two manual starts": flow(SAVE, then="triggers: [{type: manual}, {type: manual}]\n"),
    "words that are nobody's": flow(SAVE, then="input: {x-order: 3, title: t}\n"),
}  # fmt: skip
