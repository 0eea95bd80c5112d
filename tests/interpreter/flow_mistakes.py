"""Mistakes with branches, joins, blocks and what stands in for a result; told as in `mistakes.py`."""

from tests.interpreter.mistakes import AGENT, one_step

SWITCH = (
    "name: x\nsteps:\n  - id: way\n    type: switch\n{}"
    "  - {{id: high, type: transform}}\n  - {{id: low, type: transform}}\n"
)
STEPS = "name: x\nsteps:\n  - {id: a, type: transform}\n  - {id: b, type: transform}\n"


def switch(*lines: str) -> str:
    """A switch and two steps it may lead to; its lines begin in line 5 and column 5."""
    return SWITCH.format("".join(f"    {line}\n" for line in lines))


def joined(step: str) -> str:
    """Two steps and one that joins them, which begins in line 5 and column 5."""
    ways = "connections:\n  - {from: a, to: j}\n  - {from: b, to: j}\n"
    return f"{STEPS}  - {step}\n{ways}"


def block(*lines: str) -> str:
    """A step before a block `box`, whose lines begin in line 6 and column 5."""
    inside = "".join(f"    {line}\n" for line in lines)
    return f"name: x\nsteps:\n  - {{id: a, type: transform}}\n  - id: box\n    type: loop\n{inside}"


IN_LOOP = ("max_iterations: 3", "steps:", "- {id: s, type: transform}", "- {id: t, type: transform}")

FLOW_MISTAKES = {
    "switch without cases": (
        switch("default: low"),
        "WF007",
        3,
        5,
        "add cases: [{when: 'n > 1', to: <the id of a step>}]",
    ),
    "no case at all": (switch("cases: []"), "WF009", 5, 12, "make it at least 1"),
    "case without condition": (
        switch("cases: [{to: high}]", "default: low"),
        "WF007",
        5,
        13,
        "add when: n > 1, or add on to the step and value here",
    ),
    "case without value": (
        switch("on: input.n", "cases: [{to: high}]"),
        "WF007",
        6,
        13,
        "add value, or remove on from the step",
    ),
    "case with both": (
        switch("on: input.n", "cases: [{value: 1, when: n > 1, to: high}]"),
        "WF015",
        6,
        24,
        "compare by value, or write conditions",
    ),
    "value without on": (
        switch("cases: [{value: 1, when: n > 1, to: high}]"),
        "WF015",
        5,
        14,
        "compare by value, or write conditions",
    ),
    "case to nowhere": (switch("cases: [{when: n > 1, to: hihg}]"), "WF016", 5, 31, "did you mean high?"),
    "default to nowhere": (
        switch("cases: [{when: n > 1, to: high}]", "default: lwo"),
        "WF016",
        6,
        14,
        "did you mean low?",
    ),
    "case without to": (
        switch("cases: [{when: n > 1}]", "default: low"),
        "WF007",
        5,
        13,
        "add to: <the id of a step>",
    ),
    "case key": (switch("cases: [{wehn: n > 1, to: high}]"), "WF006", 5, 14, "did you mean when?"),
    "case is no condition": (
        switch("cases: [{when: '1', to: high}]"),
        "WF018",
        5,
        20,
        "compare it with something",
    ),
    "step behind a switch": (
        switch("cases: [{when: n > 1, to: low}]"),
        "WF027",
        6,
        5,
        "let the switch name it, or write connections",
    ),
    "way that the switch has": (
        switch("cases: [{when: n > 1, to: high}]", "default: low") + "connections: [{from: way, to: high}]\n",
        "WF015",
        9,
        15,
        "remove this connection",
    ),
    "switch back": (
        "name: x\nsteps:\n  - {id: a, type: transform}\n"
        "  - {id: b, type: switch, cases: [{when: n > 1, to: a}]}\nconnections: [{from: a, to: b}]\n",
        "WF017",
        4,
        5,
        "remove the connection from b to a",
    ),
    "join of one": (
        "name: x\nsteps:\n  - {id: a, type: transform}\n  - {id: b, type: transform, join: any}\n",
        "WF026",
        4,
        30,
        "add connections, or remove join",
    ),
    "join of too many": (
        joined("{id: j, type: transform, join: 3}"),
        "WF026",
        5,
        30,
        "add connections, or remove join",
    ),
    "join of none": (
        joined("{id: j, type: transform, join: 0}"),
        "WF009",
        5,
        36,
        "write all, any or a number",
    ),
    "join a word": (
        joined("{id: j, type: transform, join: some}"),
        "WF010",
        5,
        36,
        "write all or another of these",
    ),
    "join without n": (joined("{id: j, type: transform, join: {m: 2}}"), "WF007", 5, 36, "add n: 2"),
    "cancel without join": (
        joined("{id: j, type: transform, cancel_rest: true}"),
        "WF014",
        5,
        30,
        "remove it, or add join: any",
    ),
    "cancel a word": (
        joined("{id: j, type: transform, join: any, cancel_rest: yes}"),
        "WF008",
        5,
        54,
        "write true or false without quotes",
    ),
    "fallback a word": (one_step(*AGENT, "fallback: contine"), "WF010", 7, 15, "did you mean continue?"),
    "fallback of nothing": (one_step(*AGENT, "fallback: {}"), "WF007", 7, 15, "add agent_type: notifier"),
    "fallback without action": (
        one_step(*AGENT, "fallback: {agent_type: inventory}"),
        "WF007",
        7,
        15,
        "add action: send_notification",
    ),
    "fallback of both": (
        one_step(*AGENT, "fallback: {agent_type: inventory, action: check_stock, value: 1}"),
        "WF015",
        7,
        60,
        "keep one of the two",
    ),
    "fallback on itself": (
        one_step(*AGENT, "fallback: {agent_type: notifier, action: send_notification}"),
        "WF028",
        7,
        46,
        "name another action, or retry_policy",
    ),
    "fallback's agent": (
        one_step(*AGENT, "fallback: {agent_type: inventry, action: check_stock}"),
        "WF022",
        7,
        28,
        "did you mean inventory?",
    ),
    "fallback's action": (
        one_step(*AGENT, "fallback: {agent_type: inventory, action: check_stok}"),
        "WF023",
        7,
        47,
        "did you mean check_stock?",
    ),
    "fallback's value": (
        one_step(*AGENT, "fallback: {value: '${1 +}'}"),
        "WF018",
        7,
        23,
        "Write it as in quality_score >= 75",
    ),
    "fallback of a condition": (
        one_step("type: condition", "conditions: [n > 1]", "fallback: continue"),
        "WF014",
        6,
        5,
        "remove it",
    ),
    "on_error to nowhere": (
        one_step(*AGENT, "on_error: {fallback: hlep}") + "  - {id: help, type: transform}\n",
        "WF016",
        7,
        26,
        "did you mean help?",
    ),
    "on_error of nothing": (
        one_step(*AGENT, "on_error: {}"),
        "WF007",
        7,
        15,
        "add fallback: <the id of a step>",
    ),
    "on_error a number": (
        one_step(*AGENT, "on_error: 3"),
        "WF008",
        7,
        15,
        "write fail, continue, or fallback: and the id of a step below it",
    ),
    "output a list": (one_step(*AGENT, "output: [1]"), "WF008", 7, 13, 'write output: {id: "${result.id}"}'),
    "output of what is not": (
        one_step(*AGENT, "output: {x: '${steps.zzz.x}'}"),
        "WF019",
        7,
        17,
        "name a step of this workflow",
    ),
    "wait for nothing": (one_step("type: wait"), "WF007", 3, 5, "add duration: 5m"),
    "wait for both": (
        one_step("type: delay", "duration: 5m", "until: input.at"),
        "WF015",
        6,
        5,
        "remove until",
    ),
    "workflow timeout": (
        "name: x\ntimeout: soon\nsteps: [{id: a, type: transform}]\n",
        "WF013",
        2,
        10,
        "use 5m",
    ),
    "loop without bound": (
        block("steps: [{id: s, type: transform}]"),
        "WF007",
        4,
        5,
        "add max_iterations: 10",
    ),
    "loop without steps": (block("max_iterations: 3"), "WF007", 4, 5, "add steps: and at least one step"),
    "loop without end": (
        block("steps: [{id: s, type: transform}]", "max_iterations: 10001"),
        "WF009",
        7,
        21,
        "make it at most 10000",
    ),
    "loop with a bad condition": (
        block("while: 1 + 1", *IN_LOOP),
        "WF018",
        6,
        12,
        "compare it with something",
    ),
    "loop key": (block("untill: n > 1", *IN_LOOP), "WF006", 6, 5, "did you mean until?"),
    "branches of a loop": (
        block("max_iterations: 3", "branches: [[{id: s, type: transform}]]"),
        "WF014",
        7,
        5,
        "remove it",
    ),
    "item in a loop": (
        block("max_iterations: 3", "steps:", "- {id: s, type: transform, when: item.x}"),
        "WF020",
        8,
        38,
        "add foreach to the step, or read something else",
    ),
    "inside read from outside": (
        block(*IN_LOOP) + "  - {id: z, type: transform, when: steps.s.x}\n",
        "WF025",
        10,
        36,
        "read the block's own output: steps.box",
    ),
    "way out of a block": (
        block(*IN_LOOP, "connections: [{from: s, to: z}]") + "  - {id: z, type: transform}\n",
        "WF024",
        10,
        33,
        "connect the blocks themselves",
    ),
    "way into a block": (
        block(*IN_LOOP) + "connections: [{from: a, to: t}]\n",
        "WF024",
        10,
        29,
        "connect the blocks themselves",
    ),
    "circle in a block": (
        block(*IN_LOOP, "connections: [{from: s, to: t}, {from: t, to: s}]"),
        "WF017",
        10,
        37,
        "remove the connection from t to s",
    ),
    "id taken inside": (
        block("max_iterations: 3", "steps: [{id: a, type: transform}]"),
        "WF012",
        7,
        18,
        "call it a_2",
    ),
    "block and branches": (
        "name: x\nsteps:\n  - id: p\n    type: parallel\n    steps: [{id: s, type: transform}]\n"
        "    branches: [[{id: t, type: transform}]]\n",
        "WF015",
        6,
        5,
        "remove branches",
    ),
    "branch no list": (
        "name: x\nsteps:\n  - id: p\n    type: parallel\n    branches: [{id: t, type: transform}]\n",
        "WF008",
        5,
        16,
        "begin each step with '- '",
    ),
    "way between branches": (
        "name: x\nsteps:\n  - id: p\n    type: parallel\n    branches:\n"
        "    - [{id: t, type: switch, cases: [{when: n > 1, to: u}]}]\n    - [{id: u, type: transform}]\n",
        "WF024",
        6,
        56,
        "connect the blocks themselves",
    ),
    "foreach without list": (
        "name: x\nsteps:\n  - id: p\n    type: foreach\n    steps: [{id: s, type: transform}]\n",
        "WF007",
        3,
        5,
        "add foreach: input.leads",
    ),
    "blocks in blocks": (
        "name: x\nsteps:\n"
        + "".join(
            f"{'  ' * n}- id: p{n}\n{'  ' * n}  type: parallel\n{'  ' * n}  steps:\n" for n in range(1, 10)
        ),
        "WF005",
        27,
        21,
        "make it a workflow of its own",
    ),
}
