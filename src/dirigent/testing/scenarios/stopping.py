"""Starting and stopping: pauses, cancels, time limits of runs, undoing, inputs."""

from __future__ import annotations

from typing import Any

from dirigent.testing.scenarios.scenario import HANGS, REFUSED, Scenario, flow, retried, step, told, work

PAUSES = (
    *(
        Scenario(
            name=f"pause: {what} does not begin in it",
            workflow=flow(work("a"), begins),
            answers={"a": (5,)},
            told=(told(2, "pause"),),
            status="open",
            order=("ExecutionPaused", "StepCompleted a"),
            never=(event,),
        )
        for what, begins, event in (
            ("an approval", step("b", "approval"), "ApprovalRequested b"),
            ("a wait for a signal", step("b", "wait_for_event", event="order.paid"), "SignalAwaited b"),
            ("a foreach", work("b", foreach="[1, 2]"), "FanOutStarted b"),
            ("a transform", step("b", "transform", parameters={"n": 1}), "StepCompleted b"),
        )
    ),
    Scenario(
        name="pause: what runs ends, and nothing begins",
        workflow=flow(work("a"), work("b")),
        answers={"a": (5,)},
        told=(told(2, "pause"),),
        status="open",
        steps={"a": "succeeded"},
        calls={"a": 1, "b": 0},
        order=("StepStarted a", "ExecutionPaused", "StepCompleted a"),
    ),
    Scenario(
        name="pause: afterwards it goes on",
        workflow=flow(work("a"), work("b")),
        answers={"a": (5,)},
        told=(told(2, "pause"), told(30, "resume")),
        order=("StepCompleted a", "ExecutionResumed", "StepStarted b"),
        calls={"a": 1, "b": 1},
    ),
    Scenario(
        name="pause: twice is refused",
        workflow=flow(step("w", "wait", duration="30s")),
        told=(told(2, "pause"), told(3, "pause", refused="illegal_transition")),
        lasts=20,
        status="open",
        steps={"w": "waiting"},
    ),
    Scenario(
        name="pause: going on without a pause is refused",
        workflow=flow(step("w", "wait", duration="30s")),
        told=(told(2, "resume", refused="illegal_transition"),),
        order=("TimerFired wait:w", "ExecutionCompleted"),
    ),
    Scenario(
        name="pause: a signal that comes meanwhile is not lost",
        workflow=flow(step("a", "wait_for_event", event="order.paid", timeout="1h"), work("b")),
        told=(told(2, "pause"), told(5, "signal", "order.paid"), told(30, "resume")),
        order=("ExecutionPaused", "SignalReceived", "ExecutionResumed", "StepStarted b"),
        calls={"b": 1},
    ),
    Scenario(
        name="pause: a decision that comes meanwhile is not lost",
        workflow=flow(step("a", "approval", timeout="1h"), work("b")),
        told=(told(2, "pause"), told(5, "approve", "a"), told(30, "resume")),
        order=("ExecutionPaused", "ApprovalDecided a", "ExecutionResumed", "StepStarted b"),
    ),
    Scenario(
        name="pause: a wait goes on, what follows does not",
        workflow=flow(step("w", "wait", duration="10s"), work("b")),
        told=(told(2, "pause"),),
        lasts=20,
        status="open",
        calls={"b": 0},
    ),
    Scenario(
        name="pause: a retry waits for its end",
        workflow=flow(work("a", retry_policy=retried(2, "5s"))),
        answers={"a": ("transient", {"n": 1})},
        told=(told(2, "pause"), told(30, "resume")),
        order=("StepFailed a", "ExecutionPaused", "ExecutionResumed", "StepStarted a", "StepCompleted a"),
        calls={"a": 2},
    ),
)

CANCELS = (
    Scenario(
        name="cancel: what waits ends at once",
        workflow=flow(step("w", "wait", duration="1h"), work("b")),
        told=(told(5, "cancel"),),
        lasts=6,
        status="cancelled",
        order=("CancelRequested", "ExecutionCancelled"),
        calls={"b": 0},
    ),
    Scenario(
        name="cancel: an approval is asked for no longer",
        workflow=flow(step("a", "approval", timeout="1h"), work("b")),
        told=(told(5, "cancel"), told(6, "approve", "a", refused="conflict")),
        status="cancelled",
        calls={"b": 0},
        never=("ApprovalDecided a",),
    ),
    Scenario(
        name="cancel: a signal comes too late",
        workflow=flow(step("a", "wait_for_event", event="order.paid", timeout="1h")),
        told=(told(5, "cancel"), told(6, "signal", "order.paid", refused="conflict")),
        status="cancelled",
        never=("WaitEnded a",),
    ),
    Scenario(
        name="cancel: no retry follows",
        workflow=flow(work("a", retry_policy=retried(3, "10s"))),
        answers={"a": ("transient",)},
        told=(told(5, "cancel"),),
        status="cancelled",
        calls={"a": 1},
    ),
    Scenario(
        name="cancel: what is done stays done, what follows does not begin",
        workflow=flow(work("a", "send"), step("w", "wait", duration="1h"), work("b", "send")),
        told=(told(5, "cancel"),),
        status="cancelled",
        calls={"a": 1, "b": 0},
    ),
    Scenario(
        name="cancel: in a pause, too",
        workflow=flow(step("w", "wait", duration="1h")),
        told=(told(2, "pause"), told(5, "cancel")),
        lasts=6,
        status="cancelled",
    ),
    Scenario(
        name="cancel: what has ended cannot be cancelled",
        workflow=flow(work("a")),
        told=(told(5, "cancel", refused="conflict"),),
        order=("ExecutionCompleted",),
    ),
    *(
        Scenario(
            name=f"late: {word} of what has ended is refused",
            workflow=flow(work("a")),
            told=(told(5, word, "order.paid" if word == "signal" else "", refused="conflict"),),
            order=("StepCompleted a", "ExecutionCompleted"),
        )
        for word in ("pause", "resume", "signal")
    ),
)

LIMITS = (
    Scenario(
        name="time: a run that takes too long fails",
        workflow=flow(work("a"), step("w", "wait", duration="1h"), work("b"), timeout="30s"),
        lasts=31,
        status="failed",
        code="execution_timeout",
        calls={"a": 1, "b": 0},
        order=("StepCompleted a", "TimerFired execution", "ExecutionFailed"),
    ),
    Scenario(
        name="time: a run that is done in time does not",
        workflow=flow(work("a"), step("w", "wait", duration="20s"), timeout="30s"),
        lasts=40,
        never=("TimerFired execution",),
    ),
    Scenario(
        name="time: a run is not over before its time",
        workflow=flow(step("w", "wait", duration="1h"), timeout="30s"),
        lasts=29,
        status="open",
    ),
)


def _undone(id: str, **keys: Any) -> dict[str, Any]:
    undo = {"agent_type": "worker", "action": "send", "timeout": "5s"}
    return work(id, "send", compensate=undo, **keys)


UNDOING = (
    Scenario(
        name="undo: what was done is undone, the last first",
        workflow=flow(_undone("a"), _undone("b"), work("c")),
        answers={"c": (REFUSED,)},
        status="failed",
        order=(
            "StepFailed c",
            "CompensationStarted",
            "StepCompleted compensate:b",
            "StepCompleted compensate:a",
            "ExecutionFailed",
        ),
        calls={"compensate:a": 1, "compensate:b": 1},
    ),
    Scenario(
        name="undo: what did not happen is not undone",
        workflow=flow(_undone("a"), _undone("b")),
        answers={"b": (REFUSED,)},
        status="failed",
        calls={"compensate:a": 1, "compensate:b": 0},
    ),
    Scenario(
        name="undo: a run that works undoes nothing",
        workflow=flow(_undone("a"), _undone("b")),
        never=("CompensationStarted",),
        calls={"compensate:a": 0, "compensate:b": 0},
    ),
    Scenario(
        name="undo: a cancel undoes what was done",
        workflow=flow(_undone("a"), step("w", "wait", duration="1h")),
        told=(told(5, "cancel"),),
        status="cancelled",
        order=("CancelRequested", "CompensationStarted", "StepCompleted compensate:a", "ExecutionCancelled"),
        calls={"compensate:a": 1},
    ),
    Scenario(
        name="undo: what is under way at a cancel comes to its end, and is undone",
        workflow=flow(_undone("a"), work("b")),
        answers={"a": (5,)},
        told=(told(2, "cancel"),),
        status="cancelled",
        order=("CancelRequested", "StepCompleted a", "CompensationStarted", "StepCompleted compensate:a"),
        calls={"a": 1, "compensate:a": 1, "b": 0},
    ),
    Scenario(
        name="undo: one that fails keeps nothing from being undone",
        workflow=flow(_undone("a"), _undone("b"), work("c")),
        answers={"c": (REFUSED,), "compensate:b": (REFUSED,)},
        status="failed",
        order=("StepFailed compensate:b", "StepCompleted compensate:a"),
        calls={"compensate:a": 1, "compensate:b": 1},
    ),
    Scenario(
        name="undo: a failure that is let pass undoes nothing",
        workflow=flow(_undone("a"), work("b", on_error="continue")),
        answers={"b": (REFUSED,)},
        status="partially_completed",
        calls={"compensate:a": 0},
    ),
)

ONE_NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

INPUTS = (
    Scenario(
        name="input: what fits is taken",
        workflow=flow(step("a", "transform", parameters={"m": "${input.n + 1}"}), input=ONE_NUMBER),
        given={"n": 1},
        output={"m": 2},
    ),
    *(
        Scenario(
            name=f"input: {what} is refused before anything begins",
            workflow=flow(work("a"), input=ONE_NUMBER),
            given=given,
            starts_refused="invalid_input",
        )
        for what, given in (("what is missing", {}), ("another type", {"n": "one"}))
    ),
    Scenario(
        name="output: what it says is what comes out",
        workflow=flow(work("a"), work("b"), output={"both": "${steps.a.n + steps.b.n}"}),
        answers={"a": ({"n": 1},), "b": ({"n": 2},)},
        output={"both": 3},
    ),
    Scenario(
        name="output: one that has no value fails the run",
        workflow=flow(work("a"), output={"both": "${steps.a.missing}"}),
        status="failed",
        code="expression_error",
    ),
    Scenario(
        name="output: a step may make its own",
        workflow=flow(work("a", output={"double": "${result.n * 2}"})),
        answers={"a": ({"n": 4},)},
        output={"double": 8},
        order=("StepCompleted a", "OutputMapped a"),
    ),
    Scenario(
        name="transform: it gives what it says",
        workflow=flow(step("a", "transform", parameters={"text": "Hello ${input.name}"})),
        given={"name": "Ada"},
        output={"text": "Hello Ada"},
    ),
    Scenario(
        name="validation: what holds goes on",
        workflow=flow(step("v", "validation", conditions=["input.n > 0"]), work("b")),
        given={"n": 1},
        calls={"b": 1},
    ),
    Scenario(
        name="validation: what does not hold ends the run with its code",
        workflow=flow(
            step("v", "validation", conditions=["input.n > 0"], parameters={"code": "too_few"}), work("b")
        ),
        given={"n": 0},
        status="failed",
        code="too_few",
        calls={"b": 0},
    ),
    Scenario(
        name="act: one that hangs holds nobody up who does not wait for it",
        workflow=flow(work("a", timeout="20s", on_error="continue"), work("b"), type="parallel"),
        answers={"a": (HANGS,)},
        lasts=10,
        status="open",
        steps={"b": "succeeded"},
    ),
)

STOPPING = (*PAUSES, *CANCELS, *LIMITS, *UNDOING, *INPUTS)
