"""Actions: done, failed, tried again, out of time, unclear, replaced, refused."""

from __future__ import annotations

from dirigent.testing.scenarios.scenario import (
    BROKEN,
    HANGS,
    REFUSED,
    TRANSIENT,
    Scenario,
    flow,
    retried,
    told,
    work,
)

EFFECTS = ("think", "look", "send", "book", "fire")
REPEATABLE = ("think", "look", "send")
UNREPEATABLE = ("book", "fire")

DONE = tuple(
    Scenario(
        name=f"act: {effect} is done",
        workflow=flow(work("a", effect)),
        answers={"a": ({"n": 7},)},
        steps={"a": "succeeded"},
        output={"n": 7},
        calls={"a": 1},
        order=("ExecutionStarted", "StepStarted a", "StepCompleted a", "ExecutionCompleted"),
        never=("StepFailed a",),
    )
    for effect in EFFECTS
)

FAILED = tuple(
    Scenario(
        name=f"act: {effect} is refused outside, and the run fails",
        workflow=flow(work("a", effect, retry_policy=retried(3)), work("b")),
        answers={"a": (REFUSED,)},
        status="failed",
        code="action_failed",
        steps={"a": "failed", "b": "skipped"},
        calls={"a": 1, "b": 0},
        never=("StepStarted b", "TimerFired retry:a"),
    )
    for effect in EFFECTS
)

LET_PASS = tuple(
    Scenario(
        name=f"act: {effect} fails, is let pass, and the run is partial",
        workflow=flow(work("a", effect, on_error="continue"), work("b")),
        answers={"a": (REFUSED,)},
        status="partially_completed",
        steps={"a": "failed", "b": "succeeded"},
        calls={"a": 1, "b": 1},
    )
    for effect in EFFECTS
)

TRIED_AGAIN = tuple(
    Scenario(
        name=f"act: {effect} is tried again and works at attempt {failures + 1}",
        workflow=flow(work("a", effect, retry_policy=retried(4))),
        answers={"a": (*[TRANSIENT] * failures, {"n": 1})},
        steps={"a": "succeeded"},
        calls={"a": failures + 1},
        order=("StepFailed a", "TimerFired retry:a", "StepStarted a", "StepCompleted a"),
    )
    for effect in REPEATABLE
    for failures in (1, 3)
)

GIVEN_UP = tuple(
    Scenario(
        name=f"act: {effect} is tried {attempts} times and given up",
        workflow=flow(work("a", effect, retry_policy=retried(attempts))),
        answers={"a": (TRANSIENT,)},
        status="failed",
        code="transient",
        calls={"a": attempts},
        steps={"a": "failed"},
    )
    for effect in REPEATABLE
    for attempts in (1, 2, 4)
)

BACKOFF = tuple(
    Scenario(
        name=f"act: with a factor of {factor} there are {calls} attempts within {lasts:g} s",
        workflow=flow(work("a", "look", retry_policy=retried(3, "2s", factor))),
        answers={"a": (TRANSIENT, TRANSIENT, {"n": 1})},
        lasts=lasts,
        status="completed" if calls == 3 else "open",
        calls={"a": calls},
    )
    for factor, lasts, calls in ((1, 3.5, 2), (1, 4.5, 3), (2, 5.5, 2), (2, 6.5, 3), (3, 7.5, 2), (3, 8.5, 3))
)

OUT_OF_TIME = tuple(
    Scenario(
        name=f"act: {effect} runs out of time {'and is tried again' if attempts > 1 else 'and fails'}",
        workflow=flow(work("a", effect, timeout="3s", retry_policy=retried(attempts))),
        answers={"a": (HANGS, {"n": 1})},
        status="completed" if attempts > 1 else "failed",
        code="" if attempts > 1 else "step_timeout",
        calls={"a": attempts},
    )
    for effect in REPEATABLE
    for attempts in (1, 2)
)

IN_TIME = tuple(
    Scenario(
        name=f"act: an answer after {seconds} s comes {'in time' if status == 'completed' else 'too late'}",
        workflow=flow(work("a", "look", timeout="5s")),
        answers={"a": (seconds,)},
        status=status,
        calls={"a": 1},
    )
    for seconds, status in ((4, "completed"), (6, "failed"))
)

UNCLEAR = tuple(
    Scenario(
        name=f"act: fire that {'gets lost' if how == HANGS else 'breaks'} waits for a person to look",
        workflow=flow(work("a", "fire", timeout="3s", retry_policy=retried(3)), work("b")),
        answers={"a": (how,)},
        status="open",
        steps={"a": "outcome_unknown"},
        calls={"a": 1, "b": 0},
        order=("StepStarted a", "StepOutcomeUnknown a"),
        never=("StepFailed a",),
    )
    for how in (HANGS, BROKEN)
)

RESOLVED = tuple(
    Scenario(
        name=f"act: a person says that fire {'happened' if happened else 'did not happen'}",
        workflow=flow(work("a", "fire", timeout="3s"), work("b")),
        answers={"a": (HANGS, {"n": 2})},
        told=(told(10, "resolve", "a", data={"n": 1} if happened else None),),
        steps={"a": "succeeded", "b": "succeeded"},
        calls={"a": 1 if happened else 2, "b": 1},
        order=("StepOutcomeUnknown a", "StepOutcomeResolved a", "StepStarted b"),
    )
    for happened in (True, False)
)

RESOLVED_WRONGLY = (
    Scenario(
        name="act: nothing is unclear about what is done",
        workflow=flow(work("a"), work("b", "look", timeout="50s")),
        answers={"b": (40,)},
        told=(told(10, "resolve", "a", data=1, refused="invalid_input"),),
        steps={"a": "succeeded", "b": "succeeded"},
    ),
)

BUGS = tuple(
    Scenario(
        name=f"act: a bug in {effect} is no reason to try again",
        workflow=flow(work("a", effect, retry_policy=retried(3))),
        answers={"a": (BROKEN,)},
        status="failed",
        code="agent_error",
        calls={"a": 1},
    )
    for effect in REPEATABLE
)

FALLBACKS = (
    Scenario(
        name="fallback: a value takes the place of a failure",
        workflow=flow(work("a", "look", fallback={"value": {"n": 5}}), output={"n": "${steps.a.n}"}),
        answers={"a": (REFUSED,)},
        steps={"a": "succeeded_by_fallback"},
        output={"n": 5},
        order=("StepFailed a", "FallbackStarted a", "StepCompleted a"),
    ),
    Scenario(
        name="fallback: another action takes the place of a failure",
        workflow=flow(work("a", "look", fallback={"agent_type": "worker", "action": "think"})),
        answers={"a": (REFUSED, {"n": 2})},
        steps={"a": "succeeded_by_fallback"},
        calls={"a": 2},
        order=("StepFailed a", "FallbackStarted a", "StepStarted a", "StepCompleted a"),
    ),
    Scenario(
        name="fallback: it comes after the last attempt only",
        workflow=flow(work("a", "look", retry_policy=retried(3), fallback={"value": 1})),
        answers={"a": (TRANSIENT,)},
        steps={"a": "succeeded_by_fallback"},
        calls={"a": 3},
        order=("TimerFired retry:a", "TimerFired retry:a", "FallbackStarted a"),
    ),
    Scenario(
        name="fallback: where it is not needed it does not begin",
        workflow=flow(work("a", "look", fallback={"value": 1})),
        answers={"a": ({"n": 3},)},
        output={"n": 3},
        never=("FallbackStarted a",),
    ),
    Scenario(
        name="fallback: one that fails, too, is a failure",
        workflow=flow(work("a", "look", fallback={"agent_type": "worker", "action": "think"})),
        answers={"a": (REFUSED,)},
        status="failed",
        calls={"a": 2},
    ),
)

DOOR = (
    Scenario(
        name="door: at level 0 a keyed action is only simulated",
        workflow=flow(work("a", "send")),
        autonomy="L0",
        calls={"a": 0},
        steps={"a": "succeeded"},
    ),
    Scenario(
        name="door: at level 0 what only reads is done",
        workflow=flow(work("a", "look")),
        autonomy="L0",
        calls={"a": 1},
    ),
    Scenario(
        name="door: at level 1 a risky action waits for a person",
        workflow=flow(work("a", "dare")),
        autonomy="L1",
        status="open",
        calls={"a": 0},
        order=("ApprovalRequested a",),
        never=("StepStarted a",),
    ),
    Scenario(
        name="door: approved, a risky action is done",
        workflow=flow(work("a", "dare")),
        autonomy="L1",
        told=(told(5, "approve", "a"),),
        calls={"a": 1},
        order=("ApprovalRequested a", "ApprovalDecided a", "StepStarted a", "StepCompleted a"),
    ),
    Scenario(
        name="door: rejected, a risky action is not done",
        workflow=flow(work("a", "dare")),
        autonomy="L1",
        told=(told(5, "reject", "a"),),
        status="failed",
        code="rejected",
        calls={"a": 0},
        never=("StepStarted a",),
    ),
    Scenario(
        name="door: at level 3 a risky action is done at once",
        workflow=flow(work("a", "dare")),
        calls={"a": 1},
        never=("ApprovalRequested a",),
    ),
    *(
        Scenario(
            name=f"door: a budget of {budget} is enough for {calls} of three",
            workflow=flow(work("a", "send"), work("b", "send"), work("c", "send")),
            budget=budget,
            status="completed" if calls == 3 else "partially_completed",
            steps={name: "succeeded" if number < calls else "skipped" for number, name in enumerate("abc")},
        )
        for budget, calls in ((1.0, 1), (2.5, 2), (3.0, 3))
    ),
    Scenario(
        name="door: an input that an action does not take fails its step",
        workflow=flow(work("a", parameters={"nonsense": 1})),
        status="failed",
        code="invalid_input",
        calls={"a": 0},
    ),
)

ACTING = (
    *DONE, *FAILED, *LET_PASS, *TRIED_AGAIN, *GIVEN_UP, *BACKOFF, *OUT_OF_TIME, *IN_TIME, *UNCLEAR, *RESOLVED,
    *RESOLVED_WRONGLY, *BUGS, *FALLBACKS, *DOOR,
)  # fmt: skip
