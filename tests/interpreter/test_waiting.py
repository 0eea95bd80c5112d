"""Waiting: for a person to approve, for a person to say what happened, and for a time."""

from typing import Any

import pytest

from dirigent.domain.approval import Deciders
from dirigent.domain.command import InvokeAction
from dirigent.domain.errors import IllegalTransition
from dirigent.domain.event import ApprovalDecided, ApprovalRequested, Failure, WaitStarted
from dirigent.domain.moments import iso
from dirigent.interpreter.machine import Machine
from dirigent.interpreter.reading import read_execution
from tests.interpreter.harness import APPROVAL_MS, START, Ask, Harness, Unknown, agent, flow, step


def asking(command: InvokeAction) -> Any:
    """An action that may only happen when a person has approved exactly this."""
    return {"done": command.step} if command.approved == "hash" else Ask()


def decisions(harness: Harness) -> list[tuple[str, str]]:
    """Who decided what."""
    return [(e.decision, e.actor) for e in harness.events if isinstance(e, ApprovalDecided)]


def test_an_approval_step_waits_and_goes_on() -> None:
    """The run stands still until a person decides; who it was and what was said is the output."""
    parameters = {"reason": "spend ${input.sum}", "sum": "${input.sum}"}
    harness = Harness(flow(step("ask", "approval", parameters=parameters), agent("b")), sum=5).run()
    asked = harness.approvals["ask"]
    assert (asked.reason, asked.preview, asked.kind) == ("spend 5", {"reason": "spend 5", "sum": 5}, "step")
    assert (harness.statuses()["ask"], harness.status) == ("waiting", "running")
    harness.decide("ask", comment="fine")
    assert harness.run().statuses() == {"ask": "succeeded", "b": "succeeded"}
    assert harness.machine.state.outputs["ask"] == {"decision": "approved", "by": "boss", "comment": "fine"}
    assert harness.timers == {}


@pytest.mark.parametrize(("keys", "status"), [({}, "failed"), ({"ends_as": "rejected"}, "rejected")])
def test_a_rejection_ends_the_step(keys, status) -> None:
    """Rejected is a failure of the step, with the person's words; nothing runs behind it."""
    harness = Harness(flow(step("ask", "approval", **keys), agent("b"))).run()
    harness.decide("ask", "rejected", "too dear")
    assert harness.run().statuses() == {"ask": "failed", "b": "skipped"}
    assert harness.machine.state.failure == Failure(code="rejected", message="too dear")
    assert harness.status == status


@pytest.mark.parametrize(("keys", "after_ms"), [({}, 24 * 3_600_000), ({"timeout": "1h"}, 3_600_000)])
def test_nobody_decides_in_time(keys, after_ms) -> None:
    """An approval that expires is a no, in the clock's name; its timeout says when."""
    harness = Harness(flow(step("ask", "approval", **keys))).run()
    assert harness.timers == {"approval:ask": START + after_ms}
    harness.fire("approval:ask")
    assert decisions(harness) == [("expired", "clock")]
    assert harness.machine.state.failure == Failure(code="approval_expired", message="nobody decided in time")


@pytest.mark.parametrize(("not_requester", "status"), [(True, "failed"), (False, "running")])
def test_who_asked_for_it_is_not_counted_on(not_requester, status) -> None:
    """Of three whom a step names two have to agree; where the requester has no say one no is enough."""
    keys = {"approvers": ["anna", "ben", "cleo"], "required": 2, "reject_after": 3}
    harness = Harness(flow(step("ask", "approval", not_requester=not_requester, **keys))).run()
    harness.vote("ask", "ben", "rejected")
    assert harness.status == status


def test_the_first_decision_counts() -> None:
    """After it there is nothing left to decide, and its timer wakes nobody."""
    harness = Harness(flow(step("ask", "approval"), agent("b"))).run()
    harness.decide("ask")
    with pytest.raises(IllegalTransition):
        harness.decide("ask", "rejected")
    assert harness.run().status == "completed"


def test_an_action_goes_on_with_exactly_what_was_approved() -> None:
    """The same attempt is asked for again with the hash of the payload that the person saw."""
    harness = Harness(flow(agent("a", parameters={"n": "${n}"})), asking, n=1).run()
    assert (harness.statuses()["a"], harness.actions) == ("waiting", {})
    assert harness.machine.outstanding[0].timer == "approval:a"  # type: ignore[attr-defined]
    harness.decide("a")
    command = harness.actions["a"]
    assert (command.attempt, command.approved, command.inputs) == (1, "hash", {"n": 1})
    assert harness.run().output == {"done": "a"}


@pytest.mark.parametrize(("decision", "code"), [("rejected", "rejected"), ("expired", "approval_expired")])
def test_an_action_that_is_not_approved_fails(decision, code) -> None:
    """It is not tried again, however often its policy would."""
    harness = Harness(flow(agent("a", retry_policy={"max_attempts": 5})), asking).run()
    harness.decide("a", decision)
    failure = harness.run().machine.state.failure
    assert failure is not None
    assert (failure.code, harness.attempts("a")) == (code, [1])


def test_each_request_for_approval_has_an_id_of_its_own() -> None:
    """A second request of the same step is another one; the first decision does not count for it."""
    harness = Harness(flow(agent("a")), lambda _command: Ask()).run()
    first = harness.approvals["a"]
    harness.decide("a")
    harness.run()
    second = harness.approvals["a"]
    assert first.approval_id != second.approval_id
    harness.approvals["a"] = first
    with pytest.raises(IllegalTransition, match="not the one"):
        harness.decide("a")


def test_an_unknown_outcome_waits_for_a_person_and_is_never_repeated() -> None:
    """Nothing is outstanding; time passing changes nothing."""
    harness = Harness(flow(agent("a", retry_policy={}), agent("b")), lambda _command: Unknown()).run()
    assert (harness.statuses()["a"], harness.machine.outstanding) == ("outcome_unknown", [])
    assert harness.attempts("a") == [1]


def test_an_effect_that_happened_completes_its_step() -> None:
    """The person's word and the output take the place of the result."""
    harness = Harness(flow(agent("a")), lambda _command: Unknown()).run()
    harness.resolve("a", happened=True, output={"id": 7})
    assert (harness.status, harness.output) == ("completed", {"id": 7})


def test_an_effect_that_did_not_happen_is_tried_once_more() -> None:
    """With the same inputs, as the next attempt."""
    harness = Harness(
        flow(agent("a", parameters={"n": "${n}"})),
        lambda command: Unknown() if command.attempt == 1 else {"id": 7},
        n=1,
    ).run()
    harness.resolve("a", happened=False)
    assert harness.actions["a"].inputs == {"n": 1}
    assert (harness.run().output, harness.attempts("a")) == ({"id": 7}, [1, 2])


def test_a_wait_lasts_as_long_as_it_says() -> None:
    """The timer is set from the time at which the step begins."""
    harness = Harness(flow(step("a", "wait", duration="2h"), agent("b")))
    assert harness.timers == {"wait:a": START + 7_200_000}
    assert harness.statuses()["a"] == "waiting"
    harness.run()
    assert (harness.status, harness.now) == ("completed", START + 7_200_000)
    assert harness.machine.state.outputs["a"] == {"waited": True}


MOMENT = START + 7_200_000  # 2023-11-15T00:13:20Z


@pytest.mark.parametrize(
    "until",
    [
        MOMENT,
        float(MOMENT),
        "2023-11-15T00:13:20Z",
        "2023-11-15T01:13:20+01:00",
        "2023-11-15t00:13:20.000z",
        "2023-11-14 19:13:20-05:00",
    ],
)
def test_a_wait_lasts_until_a_point_in_time(until) -> None:
    """A text with its offset, or milliseconds since the epoch; `delay` is another name of the type."""
    harness = Harness(flow(step("a", "delay", until="input.at"), agent("b")), at=until)
    assert harness.timers == {"wait:a": MOMENT}
    harness.fire("wait:a")
    assert harness.machine.state.outputs["a"] == {"waited": True}
    assert list(harness.actions) == ["b"]


@pytest.mark.parametrize(
    "until", [START, START - 1, 0, -5, "1969-12-31T23:59:59Z", "2023-11-14T22:13:20.000Z"]
)
def test_what_is_past_is_not_waited_for(until) -> None:
    """The step ends at once, and says so."""
    harness = Harness(flow(step("a", "wait", until="input.at"), agent("b")), at=until)
    assert (harness.timers, harness.machine.state.outputs["a"]) == ({}, {"waited": False})


@pytest.mark.parametrize(
    "until",
    [None, True, "", "tomorrow", "2023-11-15", "2023-11-15T00:13:20", "2023-02-30T00:00:00Z", [1], 10**18],
)
def test_what_is_no_point_in_time_fails_the_step(until) -> None:
    """Also a time without its offset, and one that is more than a year ahead."""
    harness = Harness(flow(step("a", "wait", until="input.at"), agent("b")), at=until)
    assert (harness.status, harness.timers) == ("failed", {})
    assert harness.machine.state.failure is not None
    assert harness.machine.state.failure.code == "expression_error"


def test_a_wait_says_until_when() -> None:
    """Who looks at the run sees the step, and what it waits for."""
    harness = Harness(flow(step("a", "wait", duration="2h"), agent("b")))
    waiting = read_execution(harness.events).steps["a"]
    assert (waiting.status, waiting.reason) == ("waiting", f"until {iso(START + 7_200_000)}")
    harness.fire("wait:a")
    assert read_execution(harness.events).steps["a"].status == "succeeded"


@pytest.mark.parametrize("fired", [False, True])
def test_a_journal_that_does_not_say_until_when_reads_as_ever(fired) -> None:
    """As those of earlier versions: the same steps, the same timers, the same outputs."""
    harness = Harness(flow(step("a", "wait", duration="2h"), agent("b")))
    if fired:
        harness.fire("wait:a")
    machine = Machine(harness.machine.graph)
    for event in harness.events:
        if not isinstance(event, WaitStarted):
            machine.apply(event)
    assert machine.outstanding == harness.machine.outstanding
    assert machine.state.outputs == harness.machine.state.outputs


def test_a_timer_that_is_not_waited_for_wakes_nothing() -> None:
    """A driver may fire late or twice."""
    harness = Harness(flow(step("ask", "approval"), agent("b"))).run()
    harness.decide("ask")
    before = harness.machine.state.steps["b"]
    harness.timers["approval:ask"] = START
    harness.fire("approval:ask")
    assert harness.machine.state.steps["b"] == before
    assert isinstance(harness.events[1], ApprovalRequested)
    assert harness.approvals["ask"].expires_at > START + APPROVAL_MS


def several(**keys: Any) -> dict[str, Any]:
    """An approval step that asks more than one."""
    return step("ask", "approval", **keys)


def test_as_many_have_to_approve_as_it_says() -> None:
    """The last one lets it go on; the output names all of them."""
    harness = Harness(flow(several(required=2, approvers=["ann", "ben", "cid"]))).run()
    harness.vote("ask", "ann")
    assert (harness.statuses()["ask"], decisions(harness)) == ("waiting", [])
    harness.vote("ask", "cid", comment="fine")
    assert decisions(harness) == [("approved", "ann, cid")]
    assert harness.run().output == {"decision": "approved", "by": "ann, cid", "comment": "fine"}


def test_nobody_decides_twice() -> None:
    """Neither the same way nor the other."""
    harness = Harness(flow(several(required=2))).run()
    harness.vote("ask", "ann")
    for decision in ("approved", "rejected"):
        with pytest.raises(IllegalTransition, match="ann has decided"):
            harness.vote("ask", "ann", decision)
    assert harness.statuses()["ask"] == "waiting"


@pytest.mark.parametrize(
    ("keys", "against"),
    [({}, 1), ({"reject_after": 2}, 2), ({"reject_after": 9, "approvers": ["a", "b"]}, 1)],
)
def test_so_many_rejections_end_it(keys, against) -> None:
    """One is enough unless it says otherwise; so are as many as leave too few to approve."""
    harness = Harness(flow(several(required=2, **keys))).run()
    for number in range(against):
        assert harness.statuses()["ask"] == "waiting"
        harness.vote("ask", "ab"[number], "rejected", "no")
    assert harness.run().machine.state.failure == Failure(code="rejected", message="no")


@pytest.mark.parametrize(
    ("on_expiry", "decision", "status"),
    [("fail", "expired", "failed"), ("reject", "rejected", "failed"), ("approve", "approved", "completed")],
)
def test_time_decides_as_it_says(on_expiry, decision, status) -> None:
    """Expired is a failure with a code of its own, unless it counts as a no or as a yes."""
    harness = Harness(flow(several(required=2, on_expiry=on_expiry))).run()
    harness.vote("ask", "ann")
    harness.fire("approval:ask")
    assert decisions(harness) == [(decision, "clock")]
    assert harness.run().status == status
    codes = {"fail": "approval_expired", "reject": "rejected"}
    assert getattr(harness.machine.state.failure, "code", None) == codes.get(on_expiry)


def test_who_decides_may_depend_on_the_input() -> None:
    """Names are made when the step begins; those among the parameters count the same."""
    steps = [several(approvers=["${input.manager}", "ben"])]
    assert Harness(flow(*steps), manager="mia").approvals["ask"].deciders.approvers == ("mia", "ben")
    among = {"roles": ["approver"], "required": 2, "timeout": "1h"}
    harness = Harness(flow(step("ask", "approval", parameters=among)))
    asked = harness.approvals["ask"]
    assert (asked.deciders, asked.preview) == (Deciders(roles=("approver",), required=2), among)
    assert harness.timers == {"approval:ask": START + 3_600_000}


def test_an_action_is_asked_for_with_other_inputs() -> None:
    """What was approved before does not hold for them: it is asked about anew."""
    harness = Harness(flow(agent("a", parameters={"n": 1})), asking).run()
    asked = harness.approvals["a"]
    harness.apply(
        ApprovalDecided(
            at=START,
            step="a",
            approval_id=asked.approval_id,
            decision="edited",
            actor="boss",
            inputs={"n": 2},
        )
    )
    assert (harness.actions["a"].inputs, harness.actions["a"].approved) == ({"n": 2}, "")
    harness.run()
    assert harness.approvals["a"].approval_id != asked.approval_id
    harness.decide("a")
    assert harness.run().output == {"done": "a"}
    assert harness.invoked[-1].inputs == {"n": 2}
