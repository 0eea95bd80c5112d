"""Ways through a workflow: guards, branches, joins, items, blocks, loops, children, outputs."""

from __future__ import annotations

from dirigent.testing.scenarios.scenario import REFUSED, TRANSIENT, Scenario, flow, retried, step, told, work

GUARDS = tuple(
    Scenario(
        name=f"when: {guard} {becomes}",
        workflow=flow(work("a", when=guard), work("b")),
        given={"n": 3, "flag": True},
        status=status,
        steps={"a": state},
        calls={"a": int(state == "succeeded"), "b": int(state == "succeeded")},
    )
    for guard, becomes, state, status in (
        ("input.n > 2", "holds", "succeeded", "completed"),
        ("input.n > 3", "does not hold", "skipped", "completed"),
        ("input.flag and input.n == 3", "holds", "succeeded", "completed"),
        ("input.missing > 1", "has no value, and fails the step", "failed", "failed"),
        ("input.n", "is no truth value, and fails the step", "failed", "failed"),
    )
)

CONDITIONS = tuple(
    Scenario(
        name=f"condition: n = {n} goes the way of {'yes' if n > 5 else 'no'}",
        workflow=flow(
            step("c", "condition", conditions=["input.n > 5"]),
            work("yes"),
            work("no"),
            edges=("c > yes on true", "c > no on false"),
        ),
        given={"n": n},
        steps={"yes": "succeeded" if n > 5 else "skipped", "no": "skipped" if n > 5 else "succeeded"},
        calls={"yes": int(n > 5), "no": int(n <= 5)},
    )
    for n in (5, 6)
)

SWITCHES = tuple(
    Scenario(
        name=f"switch: kind {kind!r} goes to {taken}",
        workflow=flow(
            step(
                "s",
                "switch",
                on="input.kind",
                cases=[{"value": "a", "to": "x"}, {"value": "b", "to": "y"}],
                default="z",
            ),
            work("x"),
            work("y"),
            work("z"),
            type="hybrid",
        ),
        given={"kind": kind},
        calls={name: int(name == taken) for name in "xyz"},
    )
    for kind, taken in (("a", "x"), ("b", "y"), ("c", "z"))
)

WAYS = (
    Scenario(
        name="ways: a failure goes the way of errors",
        workflow=flow(work("a"), work("mend"), work("on"), edges=("a > mend on error", "a > on")),
        answers={"a": (REFUSED,)},
        steps={"a": "failed", "mend": "succeeded", "on": "skipped"},
    ),
    Scenario(
        name="ways: without a failure nobody goes the way of errors",
        workflow=flow(work("a"), work("mend"), work("on"), edges=("a > mend on error", "a > on")),
        steps={"a": "succeeded", "mend": "skipped", "on": "succeeded"},
    ),
    Scenario(
        name="ways: a condition on a way decides about it alone",
        workflow=flow(work("a"), work("b"), work("c"), edges=("a > b if steps.a.n > 5", "a > c")),
        answers={"a": ({"n": 5},)},
        steps={"b": "skipped", "c": "succeeded"},
    ),
    Scenario(
        name="ways: what has two ways in waits for both",
        workflow=flow(work("a"), work("b"), work("c"), edges=("a > c", "b > c")),
        answers={"b": (5,)},
        order=("StepCompleted a", "StepCompleted b", "StepStarted c"),
        calls={"c": 1},
    ),
    Scenario(
        name="ways: what has no way to another goes on at once",
        workflow=flow(work("a"), work("b"), work("c"), edges=("a > c",)),
        answers={"a": (5,)},
        order=("StepStarted a", "StepStarted b", "StepCompleted b", "StepCompleted a", "StepStarted c"),
    ),
    Scenario(
        name="ways: behind a failure nothing runs, beside it everything",
        workflow=flow(work("a"), work("b"), work("c"), edges=("a > b",)),
        answers={"a": (REFUSED,)},
        status="failed",
        steps={"a": "failed", "b": "skipped", "c": "succeeded"},
    ),
)

JOINS = tuple(
    Scenario(
        name=f"join: {join} of three with {sound} that work",
        workflow=flow(
            work("a"), work("b"), work("c"), work("d", join=join), edges=("a > d", "b > d", "c > d")
        ),
        answers=dict.fromkeys("abc"[sound:], (REFUSED,)),
        status=status,
        calls={"d": runs},
    )
    for join, sound, runs, status in (
        ("any", 3, 1, "completed"),
        ("any", 1, 1, "partially_completed"),
        ("any", 0, 0, "failed"),
        ({"n": 2}, 3, 1, "completed"),
        ({"n": 2}, 2, 1, "partially_completed"),
        ({"n": 2}, 1, 0, "failed"),
        ("all", 3, 1, "completed"),
        ("all", 2, 0, "failed"),
    )
)

RACES = (
    Scenario(
        name="join: the first of two begins it, the other changes nothing",
        workflow=flow(work("a"), work("b"), work("d", join="any"), edges=("a > d", "b > d")),
        answers={"b": (5,)},
        order=("StepCompleted a", "StepStarted d", "StepCompleted d", "StepCompleted b"),
        calls={"d": 1},
    ),
    Scenario(
        name="join: the rest is cancelled where it is not wanted",
        workflow=flow(
            work("a"), work("b"), work("d", join="any", cancel_rest=True), edges=("a > d", "b > d")
        ),
        answers={"b": (5,)},
        lasts=4,
        steps={"a": "succeeded", "b": "cancelled", "d": "succeeded"},
    ),
)

ITEMS = (
    Scenario(
        name="foreach: every item once, results in their order",
        workflow=flow(work("a", foreach="[1, 2, 3]")),
        answers={"a[0]": (3,), "a[1]": ({"n": 2},), "a[2]": ({"n": 3},)},
        output={"results": [{"ok": True}, {"n": 2}, {"n": 3}], "failures": []},
        calls={"a[0]": 1, "a[1]": 1, "a[2]": 1},
    ),
    Scenario(
        name="foreach: nothing to do is done",
        workflow=flow(work("a", foreach="[]"), work("b")),
        steps={"a": "succeeded", "b": "succeeded"},
        never=("StepStarted a[0]",),
    ),
    *(
        Scenario(
            name=f"foreach: {bound} at once {'need' if shift < 0 else 'are done after'} {seconds} s for six",
            workflow=flow(work("a", foreach="[1, 2, 3, 4, 5, 6]", max_parallel=bound)),
            answers={"a": (2,)},
            lasts=seconds + shift,
            status="open" if shift < 0 else "completed",
            calls={} if shift < 0 else {f"a[{number}]": 1 for number in range(6)},
        )
        for bound, seconds in ((1, 12), (2, 6), (3, 4), (6, 2))
        for shift in (-0.5, 0.5)
    ),
    Scenario(
        name="foreach: one item that fails fails the step",
        workflow=flow(work("a", foreach="[1, 2, 3]")),
        answers={"a[1]": (REFUSED,)},
        status="failed",
        code="action_failed",
        calls={"a[0]": 1, "a[1]": 1, "a[2]": 1},
    ),
    Scenario(
        name="foreach: one item that fails may be let pass",
        workflow=flow(work("a", foreach="[1, 2, 3]", on_error="continue")),
        answers={"a[1]": (REFUSED,)},
        status="partially_completed",
        steps={"a": "succeeded"},
    ),
    Scenario(
        name="foreach: only the item that fails is tried again",
        workflow=flow(work("a", foreach="[1, 2]", retry_policy=retried(2))),
        answers={"a[1]": (TRANSIENT, {"n": 1})},
        calls={"a[0]": 1, "a[1]": 2},
        order=("StepFailed a[1]", "TimerFired retry:a[1]", "StepCompleted a[1]", "StepCompleted a"),
    ),
    Scenario(
        name="foreach: what is no list fails the step",
        workflow=flow(work("a", foreach="input.n")),
        given={"n": 3},
        status="failed",
        code="expression_error",
        calls={"a": 0},
    ),
    Scenario(
        name="foreach: an item is asked whether it is wanted",
        workflow=flow(work("a", foreach="[1, 2, 3]", when="item > 1")),
        calls={"a[0]": 0, "a[1]": 1, "a[2]": 1},
    ),
)


def _block(kind: str, *inside: dict[str, object], **keys: object) -> dict[str, object]:
    return step("block", kind, steps=list(inside), **keys)


BLOCKS = (
    Scenario(
        name="parallel: all inside at once, what follows after the last",
        workflow=flow(_block("parallel", work("a"), work("b")), work("c")),
        answers={"a": (5,), "b": (3,)},
        lasts=6,
        order=("StepCompleted b", "StepCompleted a", "StepCompleted block", "StepStarted c"),
        steps={"c": "succeeded"},
    ),
    Scenario(
        name="parallel: a failure inside is a failure of the block, once the others are done",
        workflow=flow(_block("parallel", work("a"), work("b")), work("c")),
        answers={"a": (REFUSED,), "b": (3,)},
        status="failed",
        order=("StepFailed a", "StepCompleted b", "StepFailed block"),
        calls={"c": 0},
    ),
    Scenario(
        name="parallel: a block that takes too long is stopped",
        workflow=flow(_block("parallel", work("a"), step("w", "wait", duration="1h"), timeout="5s")),
        lasts=6,
        status="failed",
        code="timeout",
        order=("StepCompleted a", "TimerFired timeout:block", "StepCancelled w", "StepFailed block"),
    ),
    *(
        Scenario(
            name=f"loop: until the third time {'with' if bound >= 3 else 'beyond'} a bound of {bound}",
            workflow=flow(_block("loop", work("a"), until="steps.a.n >= 3", max_iterations=bound)),
            answers={"block[0].a": ({"n": 1},), "block[1].a": ({"n": 2},), "block[2].a": ({"n": 3},)},
            calls={"block[0].a": 1, "block[1].a": 1, "block[2].a": int(bound >= 3), "block[3].a": 0},
            output={"n": min(bound, 3), "iterations": min(bound, 3), "exhausted": bound < 3},
        )
        for bound in (2, 3, 9)
    ),
    Scenario(
        name="loop: while it does not hold at first nothing is done",
        workflow=flow(_block("loop", work("a"), **{"while": "input.n > 3", "max_iterations": 5}), work("b")),
        given={"n": 1},
        calls={"block[0].a": 0, "b": 1},
    ),
    Scenario(
        name="loop: a failure inside ends it",
        workflow=flow(_block("loop", work("a"), until="false", max_iterations=5)),
        answers={"block[1].a": (REFUSED,)},
        status="failed",
        calls={"block[0].a": 1, "block[1].a": 1, "block[2].a": 0},
    ),
    Scenario(
        name="loop: it waits between two times round",
        workflow=flow(
            _block("loop", step("w", "wait", duration="10s"), work("a"), until="false", max_iterations=2)
        ),
        lasts=21,
        order=("TimerFired wait:block[0].w", "IterationStarted block", "TimerFired wait:block[1].w"),
        output={"ok": True, "iterations": 2, "exhausted": True},
    ),
    Scenario(
        name="foreach: a block for every item, one step after the other",
        workflow=flow(_block("foreach", work("a"), work("b"), foreach="[1, 2]")),
        calls={"block[0].a": 1, "block[0].b": 1, "block[1].a": 1, "block[1].b": 1},
    ),
)

CHILD = flow(work("c"), name="child")
UNDO = {"agent_type": "worker", "action": "send"}


def _child(**keys: object) -> dict[str, object]:
    return step("a", "subworkflow", workflow="child", **keys)


CHILDREN = (
    Scenario(
        name="child: its output is the output of the step",
        workflow=flow(_child(), work("b")),
        library=(CHILD,),
        answers={"c": ({"n": 4},)},
        steps={"a": "succeeded", "b": "succeeded"},
        order=("ChildEnded a", "StepStarted b"),
        calls={"c": 1},
    ),
    Scenario(
        name="child: its failure is the failure of the step",
        workflow=flow(_child(), work("b")),
        library=(CHILD,),
        answers={"c": (REFUSED,)},
        status="failed",
        code="action_failed",
        calls={"b": 0},
    ),
    Scenario(
        name="child: its failure may be let pass",
        workflow=flow(_child(on_error="continue"), work("b")),
        library=(CHILD,),
        answers={"c": (REFUSED,)},
        status="partially_completed",
        calls={"b": 1},
    ),
    Scenario(
        name="child: one that is partial makes its parent partial",
        workflow=flow(_child()),
        library=(flow(work("c", on_error="continue"), name="child"),),
        answers={"c": (REFUSED,)},
        status="partially_completed",
    ),
    Scenario(
        name="child: one that nobody knows fails the step",
        workflow=flow(_child()),
        status="failed",
        code="workflow_not_found",
    ),
    Scenario(
        name="child: its parent waits as long as it does",
        workflow=flow(_child(), work("b")),
        library=(flow(step("w", "wait", duration="1h"), name="child"),),
        lasts=3_590,
        status="open",
        calls={"b": 0},
    ),
    Scenario(
        name="child: its end wakes its parent after an hour",
        workflow=flow(_child(), work("b")),
        library=(flow(step("w", "wait", duration="1h"), name="child"),),
        lasts=3_610,
        calls={"b": 1},
    ),
    Scenario(
        name="child: it is cancelled with its parent",
        workflow=flow(_child(), work("b")),
        library=(flow(step("w", "wait", duration="20s"), work("c"), name="child"),),
        told=(told(5, "cancel"),),
        status="cancelled",
        calls={"c": 0, "b": 0},
    ),
    Scenario(
        name="child: a parent that is cancelled ends after it",
        workflow=flow(_child(), work("b")),
        library=(flow(work("c", compensate=UNDO), step("w", "wait", duration="1h"), name="child"),),
        told=(told(5, "cancel"),),
        status="cancelled",
        order=("CancelRequested", "ChildEnded a", "ExecutionCancelled"),
        calls={"c": 1, "compensate:c": 1, "b": 0},
    ),
    Scenario(
        name="child: it rests while its parent is paused",
        workflow=flow(_child()),
        library=(flow(step("w", "wait", duration="20s"), work("c"), name="child"),),
        told=(told(5, "pause"),),
        status="open",
        calls={"c": 0},
    ),
    Scenario(
        name="child: it goes on with its parent",
        workflow=flow(_child()),
        library=(flow(step("w", "wait", duration="20s"), work("c"), name="child"),),
        told=(told(5, "pause"), told(40, "resume")),
        calls={"c": 1},
    ),
    Scenario(
        name="child: one that takes too long is stopped",
        workflow=flow(_child(timeout="10s")),
        library=(flow(step("w", "wait", duration="1h"), name="child"),),
        lasts=11,
        status="failed",
        code="timeout",
    ),
)

GOING = (*GUARDS, *CONDITIONS, *SWITCHES, *WAYS, *JOINS, *RACES, *ITEMS, *BLOCKS, *CHILDREN)
