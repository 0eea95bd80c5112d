"""Waiting: for time, for signals, for people."""

from __future__ import annotations

from dirigent.testing.scenarios.scenario import Scenario, Told, flow, step, told, work

DURATIONS = tuple(
    Scenario(
        name=f"wait: {duration} {'are over' if status == 'completed' else 'are not over'} after {lasts:g} s",
        workflow=flow(step("a", "wait", duration=duration), work("b")),
        lasts=lasts,
        status=status,
        calls={"b": 1 if status == "completed" else 0},
    )
    for duration, lasts, status in (
        ("10s", 9.5, "open"),
        ("10s", 10.5, "completed"),
        ("500ms", 0.25, "open"),
        ("500ms", 1, "completed"),
        ("2h", 7_190, "open"),
        ("2h", 7_210, "completed"),
        ("30d", 30 * 86_400 + 20, "completed"),
    )
)

UNTIL = (
    Scenario(
        name="wait: until a moment that has passed is no wait",
        workflow=flow(step("a", "wait", until='"2020-01-01T00:00:00Z"'), work("b")),
        lasts=1,
        steps={"a": "succeeded", "b": "succeeded"},
        never=("TimerFired wait:a",),
    ),
    Scenario(
        name="wait: until a moment in the input",
        workflow=flow(step("a", "wait", until="${input.when}"), work("b")),
        given={"when": "2026-05-28T20:27:00Z"},
        lasts=59,
        order=("TimerFired wait:a", "StepCompleted a", "StepStarted b"),
    ),
    Scenario(
        name="wait: until what is no moment fails its step",
        workflow=flow(step("a", "wait", until="${input.when}")),
        given={"when": "some day"},
        status="failed",
    ),
    Scenario(
        name="wait: two at once take as long as the longer",
        workflow=flow(step("a", "wait", duration="5s"), step("b", "wait", duration="9s"), type="parallel"),
        lasts=9.5,
        order=("TimerFired wait:a", "TimerFired wait:b", "ExecutionCompleted"),
    ),
    Scenario(
        name="wait: one after the other they add up",
        workflow=flow(step("a", "wait", duration="5s"), step("b", "wait", duration="9s")),
        lasts=13.5,
        status="open",
        steps={"a": "succeeded"},
    ),
)


def _listening(**keys: object) -> dict[str, object]:
    return step("a", "wait_for_event", **{"event": "order.paid", "timeout": "20s", **keys})


def _paid(at: float, name: str = "order.paid", number: str = "", **more: object) -> Told:
    about = f"{name} {number}".strip()
    return told(at, "signal", about, **{"data": {"n": 1}, **more})


SIGNALS = (
    Scenario(
        name="signal: one that is waited for is taken",
        workflow=flow(_listening(), work("b")),
        told=(_paid(5),),
        steps={"a": "succeeded", "b": "succeeded"},
        order=("SignalAwaited a", "SignalReceived", "WaitEnded a", "StepCompleted a", "StepStarted b"),
        never=("TimerFired signal:a",),
    ),
    Scenario(
        name="signal: what it says is the output of the step",
        workflow=flow(_listening()),
        told=(_paid(5, data={"n": 42}),),
        output={"n": 42},
    ),
    Scenario(
        name="signal: one that comes early is kept",
        workflow=flow(step("w", "wait", duration="10s"), _listening()),
        told=(_paid(5),),
        lasts=11,
        order=("SignalReceived", "TimerFired wait:w", "SignalAwaited a", "WaitEnded a"),
    ),
    Scenario(
        name="signal: none in time fails the step",
        workflow=flow(_listening()),
        lasts=21,
        status="failed",
        code="event_timeout",
        order=("SignalAwaited a", "TimerFired signal:a", "WaitEnded a", "StepFailed a"),
    ),
    Scenario(
        name="signal: none in time may be let pass",
        workflow=flow(_listening(on_error="continue"), work("b")),
        lasts=25,
        status="partially_completed",
        calls={"b": 1},
    ),
    Scenario(
        name="signal: a moment too late is too late",
        workflow=flow(_listening()),
        told=(_paid(21, refused="conflict"),),
        status="failed",
    ),
    Scenario(
        name="signal: without a limit it is waited for as long as it takes",
        workflow=flow(step("a", "wait_for_event", event="order.paid")),
        told=(_paid(86_400),),
        lasts=86_401,
        steps={"a": "succeeded"},
    ),
    Scenario(
        name="signal: another name is none",
        workflow=flow(_listening()),
        told=(_paid(5, "order.lost"),),
        lasts=15,
        status="open",
        order=("SignalAwaited a", "SignalReceived"),
        never=("WaitEnded a",),
    ),
    Scenario(
        name="signal: a pattern takes what it means",
        workflow=flow(_listening(event="order.*")),
        told=(_paid(5, "order.lost"),),
        steps={"a": "succeeded"},
    ),
    Scenario(
        name="signal: the same one twice counts once",
        workflow=flow(_listening(), step("b", "wait_for_event", event="order.paid", timeout="20s")),
        told=(_paid(5, number="s1"), _paid(6, number="s1")),
        lasts=20,
        status="open",
        steps={"a": "succeeded"},
        never=("WaitEnded b",),
    ),
    Scenario(
        name="signal: two of one name serve two steps in turn",
        workflow=flow(_listening(), step("b", "wait_for_event", event="order.paid", timeout="20s")),
        told=(_paid(5, number="s1"), _paid(6, number="s2")),
        order=("WaitEnded a", "WaitEnded b"),
    ),
    Scenario(
        name="signal: one serves one of two that wait, the first",
        workflow=flow(
            _listening(),
            step("b", "wait_for_event", event="order.paid", timeout="20s", on_error="continue"),
            type="parallel",
        ),
        told=(_paid(5),),
        status="partially_completed",
        steps={"a": "succeeded", "b": "failed"},
    ),
    Scenario(
        name="signal: a filter lets through what fits",
        workflow=flow(_listening(filter="event.data.n > 5")),
        told=(_paid(5, number="s1"), _paid(6, number="s2", data={"n": 9})),
        output={"n": 9},
    ),
    Scenario(
        name="signal: the same id with other words is refused",
        workflow=flow(_listening(filter="event.data.n > 5")),
        told=(_paid(5, number="s1"), _paid(6, number="s1", data={"n": 9}, refused="signal_refused")),
        lasts=10,
        status="open",
    ),
    Scenario(
        name="signal: what is no name is refused",
        workflow=flow(_listening()),
        told=(_paid(5, "Not!Name", refused="invalid_input"),),
        lasts=10,
        status="open",
    ),
)


def _asking(**keys: object) -> dict[str, object]:
    return step("a", "approval", **{"timeout": "30s", **keys})


PEOPLE = (
    Scenario(
        name="approval: a yes goes on",
        workflow=flow(_asking(), work("b")),
        told=(told(5, "approve", "a"),),
        steps={"a": "succeeded", "b": "succeeded"},
        order=("ApprovalRequested a", "ApprovalDecided a", "StepCompleted a", "StepStarted b"),
    ),
    Scenario(
        name="approval: a no ends the run",
        workflow=flow(_asking(), work("b")),
        told=(told(5, "reject", "a"),),
        status="failed",
        code="rejected",
        calls={"b": 0},
    ),
    Scenario(
        name="approval: a no may be what the run ends as",
        workflow=flow(_asking(ends_as="rejected"), work("b")),
        told=(told(5, "reject", "a"),),
        status="rejected",
    ),
    Scenario(
        name="approval: a no may be let pass",
        workflow=flow(_asking(on_error="continue"), work("b")),
        told=(told(5, "reject", "a"),),
        status="partially_completed",
        calls={"b": 1},
    ),
    Scenario(
        name="approval: nobody decides in time",
        workflow=flow(_asking(), work("b")),
        lasts=31,
        status="failed",
        code="approval_expired",
        order=("ApprovalRequested a", "TimerFired approval:a", "ApprovalDecided a", "StepFailed a"),
    ),
    Scenario(
        name="approval: it is not over before its time",
        workflow=flow(_asking()),
        lasts=29,
        status="open",
        never=("TimerFired approval:a",),
    ),
    Scenario(
        name="approval: nobody in time may mean yes",
        workflow=flow(_asking(on_expiry="approve"), work("b")),
        lasts=31,
        calls={"b": 1},
    ),
    Scenario(
        name="approval: nobody in time may mean no",
        workflow=flow(_asking(on_expiry="reject")),
        lasts=31,
        status="failed",
        code="rejected",
    ),
    Scenario(
        name="approval: a decision too late is refused",
        workflow=flow(_asking(on_error="continue"), step("w", "wait", duration="1m")),
        told=(told(40, "approve", "a", refused="conflict"),),
        lasts=100,
        status="partially_completed",
        steps={"a": "failed"},
    ),
    Scenario(
        name="approval: the second decision is refused",
        workflow=flow(_asking(), step("w", "wait", duration="20s")),
        told=(told(5, "approve", "a"), told(6, "reject", "a", actor="bob", refused="conflict")),
        steps={"a": "succeeded"},
    ),
    Scenario(
        name="approval: only those who are named decide",
        workflow=flow(_asking(approvers=["ann"])),
        told=(told(5, "approve", "a", actor="eve", refused="refused"), told(6, "approve", "a")),
        steps={"a": "succeeded"},
    ),
    Scenario(
        name="approval: only who has one of the roles decides",
        workflow=flow(_asking(roles=["boss"])),
        told=(
            told(5, "approve", "a", data=["clerk"], refused="refused"),
            told(6, "approve", "a", data=["boss"]),
        ),
        steps={"a": "succeeded"},
    ),
    Scenario(
        name="approval: who asked does not decide",
        workflow=flow(_asking(not_requester=True)),
        told=(told(5, "approve", "a", actor="requester", refused="refused"), told(6, "approve", "a")),
        steps={"a": "succeeded"},
    ),
)

VOTES = tuple(
    Scenario(
        name=f"approval: {needed} of {people} with {yes} yes and {no} no {becomes}",
        workflow=flow(
            _asking(approvers=["ann", "bob", "cleo"][:people], required=needed, reject_after=against)
        ),
        told=tuple(
            told(5 + number, "approve" if number < yes else "reject", "a", actor=actor)
            for number, actor in enumerate(("ann", "bob", "cleo")[: yes + no])
        ),
        lasts=20,
        status=status,
        code="rejected" if becomes == "is a no" else "",
        order=("ApprovalRequested a", *["ApprovalVoted a"] * (yes + no)),
        never=("ApprovalDecided a",) if becomes == "is open" else (),
    )
    for people, needed, against, yes, no, becomes, status in (
        (2, 2, 1, 1, 0, "is open", "open"),
        (2, 2, 1, 2, 0, "is a yes", "completed"),
        (2, 2, 1, 1, 1, "is a no", "failed"),
        (3, 2, 2, 1, 1, "is open", "open"),
        (3, 2, 2, 2, 1, "is a yes", "completed"),
        (3, 2, 2, 1, 2, "is a no", "failed"),
        (3, 3, 3, 3, 0, "is a yes", "completed"),
        (3, 3, 3, 2, 1, "is a no", "failed"),
    )
    if not (people == 3 and yes == 2 and no == 1 and needed == 2)
)

VOTING = (
    Scenario(
        name="approval: nobody votes twice",
        workflow=flow(_asking(approvers=["ann", "bob"], required=2)),
        told=(told(5, "approve", "a"), told(6, "approve", "a", refused="illegal_transition")),
        lasts=20,
        status="open",
    ),
    Scenario(
        name="approval: a vote alone does not stop the clock",
        workflow=flow(_asking(approvers=["ann", "bob"], required=2)),
        told=(told(5, "approve", "a"),),
        lasts=31,
        status="failed",
        code="approval_expired",
    ),
)

WAITING = (*DURATIONS, *UNTIL, *SIGNALS, *PEOPLE, *VOTES, *VOTING)
