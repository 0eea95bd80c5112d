"""What the checks say of undoing, races, votes, loops, limits, fallbacks, forks: of the truth and of lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalVoted,
    CompensationStarted,
    Event,
    ExecutionFailed,
    ExecutionStarted,
    Failure,
    FallbackStarted,
    IterationStarted,
    Kept,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepStarted,
    TimerFired,
)
from dirigent.domain.workflow import Definition
from dirigent.testing.invariants import PARTS, Report, check
from dirigent.testing.simulation.workload import definition
from tests.interpreter.harness import flow, step
from tests.simulation.test_invariants import Falsify, change, drop, renumber, repeat
from tests.simulation.written import Written, world

replace = msgspec.structs.replace
NO = Failure(code="action_failed", message="no")
BUSY = Failure(code="transient", message="busy", retryable=True)
UNDO = {"agent_type": "outside", "action": "keyed"}


def done(run: Written, where: str, effect: str = "keyed", name: str = "e1", attempt: int = 1) -> None:
    """A step acts and has its result."""
    key = run.let_through(name, where, effect, attempt)
    run.call(name, where, effect, key, attempt)
    run.complete(name, where, attempt)


def failed(run: Written, where: str, error: Failure = NO, attempt: int = 1, name: str = "e1") -> None:
    """A step is let through and fails, and nothing happened."""
    run.let_through(name, where, "keyed", attempt)
    run.tell(name, StepFailed(at=run.now, step=where, attempt=attempt, error=error))


def begun(definition: Definition) -> Written:
    """A run that has just begun."""
    run = Written()
    run.start("e1", definition)
    return run


def undone(*, refused: bool = False) -> Written:
    """Two steps are done, the third fails, and the two are undone; or undoing the second is refused."""
    steps = [world("a", "keyed", compensate=UNDO), world("b", "keyed", compensate=UNDO), world("c", "keyed")]
    run = begun(flow(*steps))
    done(run, "a")
    done(run, "b")
    failed(run, "c")
    (failed if refused else done)(run, "compensate:b")
    done(run, "compensate:a")
    return run


def not_undone() -> Written:
    """What undoes the second is refused: the end says so, and the first is undone all the same."""
    return undone(refused=True)


def raced() -> Written:
    """Of a step and a person the step is first; the person is asked no longer."""
    steps = [world("a", "keyed"), step("b", "approval"), world("z", "keyed", join="any", cancel_rest=True)]
    run = begun(flow(*steps, edges=["a > z", "b > z"]))
    done(run, "a")
    done(run, "z")
    return run


def voted() -> Written:
    """Two of three say yes."""
    asked = {"approvers": ["ann", "ben", "anna"], "required": 2, "reject_after": 2, "not_requester": True}
    run = begun(flow(step("ask", "approval", **asked), world("a", "keyed")))
    approval = run.machines["e1"].state.steps["ask"].approval
    for actor in ("ann", "ben"):
        said = ApprovalVoted(at=run.now, step="ask", approval_id=approval, decision="approved", actor=actor)
        run.tell("e1", said)
    done(run, "a")
    return run


def repeated() -> Written:
    """A loop goes round twice."""
    run = begun(flow(step("l", "loop", max_iterations=2, steps=[world("x", "keyed")])))
    done(run, "l[0].x")
    done(run, "l[1].x")
    return run


def timed_out() -> Written:
    """The time of the run is over while its first step acts."""
    run = begun(flow(world("a", "keyed"), world("b", "keyed"), timeout="5s"))
    key = run.let_through("e1", "a", "keyed")
    run.call("e1", "a", "keyed", key)
    run.now += 5000
    run.tell("e1", TimerFired(at=run.now, timer="execution"))
    run.complete("e1", "a")
    return run


def in_a_block() -> Written:
    """Two steps side by side; the time of their block is over while one acts and one waits."""
    inside = [world("x", "keyed"), step("y", "wait", duration="1h")]
    run = begun(
        flow(step("p", "parallel", timeout="5s", steps=inside, on_error="continue"), world("b", "keyed"))
    )
    key = run.let_through("e1", "x", "keyed")
    run.call("e1", "x", "keyed", key)
    run.now += 5000
    run.tell("e1", TimerFired(at=run.now, timer="timeout:p"))
    run.complete("e1", "x")
    done(run, "b")
    return run


def fell_back() -> Written:
    """The second attempt fails, too; then something else acts."""
    other = {"agent_type": "outside", "action": "queryable"}
    retry = {"max_attempts": 2, "initial": "1s", "jitter": 0}
    run = begun(flow(world("a", "keyed", fallback=other, retry_policy=retry)))
    failed(run, "a", BUSY)
    run.now += 1000
    run.tell("e1", TimerFired(at=run.now, timer="retry:a"))
    failed(run, "a", BUSY, 2)
    done(run, "a", "queryable", attempt=3)
    return run


def fell_back_at_once() -> Written:
    """Whether the second step is to be done cannot be decided: something else acts, as its first attempt."""
    other = {"agent_type": "outside", "action": "queryable"}
    edge = {"from": "a", "to": "b", "condition": "input.missing > 1"}
    run = begun(flow(world("a", "keyed"), world("b", "keyed", fallback=other), edges=[edge]))
    done(run, "a")
    done(run, "b", "queryable")
    return run


def forked() -> Written:
    """The first step is done, the second fails; a retry takes over the first and does the second."""
    two = flow(world("a", "keyed"), world("b", "keyed"))
    run = begun(two)
    done(run, "a")
    failed(run, "b")
    run.machines["e2"] = type(run.machines["e1"])(two)
    first = next(recorded.event for recorded in run.journal if isinstance(recorded.event, ExecutionStarted))
    kept = {"a": Kept(output={"ok": True}, version=3)}
    more = {"forked_from": "e1", "forked_at": 6, "trigger": "retry", "kept": kept}
    run.tell("e2", replace(first, execution_id="e2", **more))
    run.answer("e1", "retry", subject="", actor="anna", made="e2")
    done(run, "b", name="e2")
    return run


def behind(kind: type[Event], event: Callable[[Written], Event], stream: str = "e1") -> Falsify:
    """Write one more event behind the last one of a kind."""

    def falsify(run: Written) -> None:
        places = [
            at for at, one in enumerate(run.journal) if isinstance(one.event, kind) and one.stream == stream
        ]
        one = replace(run.journal[places[-1]], event=event(run))
        renumber(run, [*run.journal[: places[-1] + 1], one, *run.journal[places[-1] + 1 :]])

    return falsify


def starts(where: str, attempt: int = 1) -> Callable[[Written], Event]:
    """That a step is let through."""
    facts: dict[str, Any] = {"agent": "outside", "action": "keyed", "effect": "keyed"}
    return lambda run: StepStarted(at=run.now, step=where, attempt=attempt, **facts)


def swapped(run: Written) -> None:
    """What undoes the first step stands before what undoes the second."""
    places = [
        at for at, one in enumerate(run.journal) if getattr(one.event, "step", "").startswith("compensate:")
    ]
    journal = list(run.journal)
    journal[places[0] : places[-1] + 1] = [journal[at] for at in (*places[2:], *places[:2])]
    renumber(run, journal)


def happens_again(run: Written) -> None:
    """The fork makes the very call that the first run made."""
    first = next(called for called in run.recorder if called.step == "a")
    run.recorder.append(replace(first, order=run.tick(), execution="e2", key="another"))


Sound = Callable[[], Written]

SOUND: dict[str, tuple[Sound, set[str]]] = {
    "undone": (undone, {"compensation"}),
    "not undone": (not_undone, {"compensation"}),
    "raced": (raced, {"join", "race that was lost"}),
    "voted": (voted, {"votes"}),
    "repeated": (repeated, {"loop"}),
    "timed out": (timed_out, {"time limit"}),
    "in a block": (in_a_block, {"time limit of a step"}),
    "fell back": (fell_back, {"fallback"}),
    "fell back at once": (fell_back_at_once, {"fallback"}),
    "forked": (forked, {"retry"}),
}

LIES: list[tuple[str, str, Sound, Falsify]] = [
    ("S18", "the first is undone before the last", undone, swapped),
    ("S18", "one is not undone", undone, drop(StepCompleted, 3)),
    ("S18", "one is undone twice", undone, behind(StepCompleted, starts("compensate:a", 2))),
    ("S18", "what was not done is undone", undone, behind(StepCompleted, starts("compensate:c"))),
    ("S18", "it says that it undoes another", undone, change(CompensationStarted, steps=("c",))),
    ("S18", "it does not say what it undid", undone, change(ExecutionFailed, compensations=())),
    ("S18", "it says that it undid what it did not", not_undone, change(ExecutionFailed, compensations=(
        undone().journal[-1].event.compensations))),  # type: ignore[attr-defined]
    ("S18", "it undoes and goes on", undone, drop(CompensationStarted)),
    ("S18", "it ends as another thing than it said", undone, change(ExecutionFailed, status="blocked")),
    ("S9", "what lost begins", raced, behind(StepCancelled, starts("b"))),
    ("S9", "what lost has a result", raced, behind(
        StepStarted, lambda run: StepCompleted(at=run.now, step="b", attempt=1))),
    ("S9", "the join begins before anybody is there", raced, drop(StepCompleted)),
    ("S15", "one yes is enough", voted, drop(ApprovalVoted)),
    ("S15", "two yeses are not enough", voted, drop(ApprovalDecided)),
    ("S15", "somebody votes afterwards", voted, behind(ApprovalDecided, lambda run: replace(
        next(one.event for one in run.journal if isinstance(one.event, ApprovalVoted)), actor="anna"))),
    ("S16", "a stranger votes", voted, change(ApprovalVoted, actor="eve")),
    ("S16", "the requester votes", voted, change(ApprovalVoted, actor="anna")),
    ("S16", "somebody votes too late", voted, change(ApprovalVoted, at=1 << 50)),
    ("S23", "a loop goes round too often", repeated, change(IterationStarted, 1, index=2)),
    ("S23", "a loop goes round without counting", repeated, repeat(IterationStarted)),
    ("S9", "a step of an earlier round begins", repeated, behind(IterationStarted, starts("l[0].x", 2))),
    ("S19", "something begins after the time of the run", timed_out, behind(TimerFired, starts("b"))),
    ("S19", "something begins after the time of its block", in_a_block, behind(TimerFired, starts("x", 2))),
    ("S9", "something begins in a block that has ended", in_a_block, behind(StepFailed, starts("y"))),
    ("S23", "something stands in too early", fell_back, change(StepStarted, action="queryable")),
    ("S23", "the step itself acts after it fell back", fell_back, change(StepStarted, 2, action="keyed")),
    ("S9", "it falls back while it may be tried again", fell_back, change(FallbackStarted, attempt=1)),
    ("S9", "what was never tried falls back late", fell_back_at_once, change(FallbackStarted, attempt=1)),
    ("S9", "what was tried falls back as if it was not", fell_back, change(FallbackStarted, attempt=0)),
    ("S11", "a fork does what it took over", forked, behind(StepStarted, starts("a"), "e2")),
    ("S11", "what happened there happens here", forked, happens_again),
    ("S1", "a fork says that it comes from elsewhere", forked, change(ExecutionStarted, 1, trigger="manual")),
    ("S25", "it was forked from what is not there", forked, change(ExecutionStarted, 1, forked_from="e9")),
]  # fmt: skip


def checked(run: Written) -> Report:
    """What the check says."""
    return check(run.journal, run.client, run.recorder)


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_run_is_sound(name: str) -> None:
    """Nothing is found, and it is said what was done."""
    make, parts = SOUND[name]
    report = checked(make())
    assert report.violations == []
    assert parts <= set(report.parts)


@pytest.mark.parametrize(
    ("invariant", "what", "make", "falsify"), LIES, ids=[f"{i} {w}" for i, w, *_ in LIES]
)
def test_each_lie_is_caught(invariant: str, what: str, make: Sound, falsify: Falsify) -> None:
    """One thing is not as it should be, and the check names the invariant."""
    run = make()
    falsify(run)
    assert invariant in checked(run).broken


def test_every_part_is_drawn() -> None:
    """The workflows that are drawn hold whatever the checks look for."""
    drawn = [definition(number) for number in range(100)]
    steps = [one for each in drawn for one in each.every_step()]
    assert {"loop", "parallel", "foreach", "approval", "subworkflow"} <= {one.kind.value for one in steps}
    assert any(one.join > 1 for one in steps)
    assert any(one.deciders.required > 1 for one in steps)
    assert all(any(getattr(one, part) for one in steps) for part in ("cancel_rest", "fallback", "compensate"))
    assert any(each.timeout_ms for each in drawn)
    assert {"fork", "retry"} <= set(PARTS)
