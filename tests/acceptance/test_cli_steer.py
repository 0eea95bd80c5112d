"""`dirigent outcomes`, `resolve`, `pause`, `resume`, `signal`, `fork` and `retry`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import TransientError
from dirigent.domain.policy import Autonomy
from dirigent.interpreter.loading import definition_from
from dirigent.ports import WebReply, WebRequest
from dirigent.settings import Settings
from tests.acceptance.terminal import Said, dirigent

FIVE = """\
workflow:
  name: five
  steps:
    - {id: one, type: emit, event: did.one, data: {said: "one"}}
    - {id: two, type: emit, event: did.two, data: {said: "two"}}
    - {id: half, type: transform, parameters: {text: draft}}
    - {id: four, type: emit, event: did.four, data: {said: "${steps.half.text}"}}
    - {id: five, type: emit, event: did.five, data: {said: "${steps.half.text} again"}}
"""
WAITS = """\
workflow:
  name: waits
  steps:
    - {id: paid, type: wait_for_event, event: order.paid}
    - {id: thank, type: emit, event: thanks.said, data: {sum: "${steps.paid.sum}"}}
"""
BREAKS = """\
workflow:
  name: breaks
  steps:
    - {id: first, type: emit, event: did.first}
    - {id: divide, type: transform, parameters: {quotient: "${12 / input.by}"}}
"""
NOWHERE = "http://127.0.0.1:9/orders"


class Silent:
    """Another system from which no answer ever comes."""

    async def send(self, request: WebRequest) -> WebReply:
        """Take it, and say nothing."""
        raise TransientError("no answer")


def _run(tmp_path: Path, text: str, *options: str) -> tuple[Said, Path]:
    file, data = tmp_path / "flow.yaml", tmp_path / "data"
    file.write_text(text)
    return dirigent("run", file, *options, "-o", "json", data=data), data


def _published(data: Path) -> list[tuple[str, Any]]:
    """What was published so far and with which data, oldest first."""
    told = dirigent("event", "list", "--limit", 100, "-o", "json", data=data).data
    return [(row["event"]["type"], row["event"].get("data")) for row in reversed(told)]


def _events(data: Path) -> list[str]:
    return [name for name, _ in _published(data)]


def _statuses(told: Any) -> dict[str, str]:
    return {step["id"]: step["status"] for step in told["steps"]}


@pytest.fixture
def unclear(tmp_path: Path) -> Path:
    """A data folder with the run `e`, of whose order nobody knows whether it was taken."""

    async def order() -> None:
        settings = Settings(data_folder=tmp_path / "data", tenant="org_1", allow_delivery=True)
        settings.config.maxAutonomyPerOrg["default"] = Autonomy.L3
        step = {"id": "order", "type": "http", "method": "POST", "url": NOWHERE, "effect": "at_most_once"}
        last = {"id": "tell", "type": "emit", "event": "order.taken", "data": {"id": "${steps.order.id}"}}
        flow = definition_from({"name": "order", "steps": [{**step, "body": {"sku": "A1"}}, last]})
        async with Dirigent(settings=settings, web=Silent()) as made:
            await made.run(flow, autonomy=Autonomy.L3)

    asyncio.run(order())
    return tmp_path / "data"


def test_what_nobody_knows_is_listed(unclear: Path) -> None:
    """What was sent, when, under which key; for people with the ways to settle it."""
    [row] = dirigent("outcomes", "-o", "json", data=unclear).data
    assert (row["step"], row["state"], row["lookup"], row["attempt"]) == ("order", "open", False, 1)
    assert (row["inputs"]["url"], row["inputs"]["body"]) == (NOWHERE, {"sku": "A1"})
    assert len(row["key"]) > 20
    assert row["sent_at"] > 0
    shown = dirigent("outcomes", data=unclear)
    assert row["key"] in shown.out
    assert f"dirigent resolve {row['execution_id']} 'order' --not-happened" in shown.out
    assert "--look" not in shown.out
    assert dirigent("outcomes", "--org", "other", "-o", "json", data=unclear).data == []
    assert "dirigent outcomes --execution" in dirigent("show", row["execution_id"], data=unclear).out


def test_a_word_settles_it(unclear: Path) -> None:
    """With what the other side says it gave, the run goes on to its end; who said so stays on record."""
    [row] = dirigent("outcomes", "-o", "json", data=unclear).data
    run = row["execution_id"]
    said = dirigent(
        "resolve", run, "order", "--happened", "--result", '{"id": 12}', "-o", "json", data=unclear
    )
    assert (said.code, said.data) == (0, {"execution_id": run, "status": "completed"})
    assert "Every effect has a known end." in dirigent("outcomes", data=unclear).out
    [settled] = dirigent("outcomes", "--state", "happened", "-o", "json", data=unclear).data
    assert settled["settled_by"] == "local"
    assert _published(unclear) == [("order.taken", {"id": 12})]
    again = dirigent("resolve", run, "order", "--happened", data=unclear)
    assert again.code == 2
    assert "does not wait for its outcome" in again.err


def test_what_did_not_happen_is_tried_again(unclear: Path) -> None:
    """Once, as an attempt of its own; here it is refused, because nothing inside the house is asked."""
    [row] = dirigent("outcomes", "-o", "json", data=unclear).data
    run = row["execution_id"]
    late = dirigent("resolve", run, "order", "--not-happened", "--attempt", 2, data=unclear)
    assert late.code == 1
    assert "attempt 1 waits" in late.err
    said = dirigent("resolve", run, "order", "--not-happened", DIRIGENT_ALLOW_DELIVERY="1", data=unclear)
    shown = dirigent("show", run, "-o", "json", data=unclear).data
    assert shown["steps"][0]["attempts"] == 2, said.err
    assert dirigent("outcomes", "--state", "not_happened", "-o", "json", data=unclear).data


@pytest.mark.parametrize(
    ("options", "told", "fix"),
    [
        ((), "Say what became of the effect", "--not-happened and --look"),
        (("--look", "--happened"), "or have it looked at", "Give one of"),
        (("--not-happened", "--result", "1"), "goes with --happened only", "Leave --result out"),
        (("--look",), "http.send_once cannot be read back", "say what happened"),
    ],
)
def test_what_cannot_be_said(unclear: Path, options: tuple[str, ...], told: str, fix: str) -> None:
    """Each mistake names what to do, and nothing is decided."""
    [row] = dirigent("outcomes", "-o", "json", data=unclear).data
    said = dirigent("resolve", row["execution_id"], "order", *options, data=unclear)
    assert said.code in (1, 2)
    assert told in said.err
    assert fix in said.err
    assert len(dirigent("outcomes", "-o", "json", data=unclear).data) == 1


def test_a_fork_from_the_third_step_of_five_repeats_no_effect(tmp_path: Path) -> None:
    """With an edited output: a new run, linked to the old one; nothing is published twice."""
    old, data = _run(tmp_path, FIVE)
    assert (old.code, _events(data)) == (0, ["did.one", "did.two", "did.four", "did.five"])
    said = dirigent(
        "fork", old.data["execution_id"], "--at", "four", "--edit", 'half={"text": "better"}', "-o", "json",
        data=data,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert said.data["execution_id"] != old.data["execution_id"]
    assert said.data["forked_from"] == old.data["execution_id"]
    assert said.data["status"] == "completed"
    assert _events(data)[4:] == ["did.four", "did.five"]
    assert _published(data)[-1] == ("did.five", {"said": "better again"})
    assert dirigent("show", old.data["execution_id"], "-o", "json", data=data).data == old.data
    assert "forked from" in dirigent("show", said.data["execution_id"], data=data).out
    assert dirigent("verify", data=data).code == 0


def test_a_fork_from_the_third_step_takes_over_the_first_two(tmp_path: Path) -> None:
    """Three to five are done, once; an event's number says the same as a step."""
    old, data = _run(tmp_path, FIVE)
    said = dirigent("fork", old.data["execution_id"], "--at", "half", "-o", "json", data=data)
    assert _events(data)[4:] == ["did.four", "did.five"]
    reasons = {step["id"]: step["reason"] for step in said.data["steps"]}
    assert [name for name in reasons if "taken over" in reasons[name]] == ["one", "two"]
    events = dirigent("logs", old.data["execution_id"], "-o", "json", data=data).data
    done = next(e["version"] for e in events if (e["type"], e.get("step")) == ("StepCompleted", "two"))
    by_number = dirigent("fork", old.data["execution_id"], "--at", done, "-o", "json", data=data)
    assert _statuses(by_number.data) == _statuses(said.data)
    assert _events(data)[6:] == ["did.four", "did.five"]


def test_a_fork_of_what_is_not_there(tmp_path: Path) -> None:
    """Unknown runs, steps and edits are refused by name, and nothing is started."""
    old, data = _run(tmp_path, FIVE)
    run = old.data["execution_id"]
    assert "dirigent ls" in dirigent("fork", "nope", data=data).err
    for options in (("--at", "nine"), ("--edit", "nine=1"), ("--at", "999")):
        said = dirigent("fork", run, *options, data=data)
        assert said.code == 2, said.out
        assert "9" in said.err or "nine" in said.err
    assert len(dirigent("ls", "-o", "json", data=data).data) == 1


def test_a_retry_does_what_was_left_undone(tmp_path: Path) -> None:
    """What was published before the failure is not published again; a good run is not retried."""
    file = tmp_path / "flow.yaml"
    file.write_text(BREAKS)
    failed = dirigent("run", file, "-i", "by=0", "-o", "json", data=tmp_path / "data")
    assert failed.code == 1
    shown = dirigent("show", failed.data["execution_id"], data=tmp_path / "data").out
    assert f"dirigent retry {failed.data['execution_id']}" in shown
    run = ("retry", failed.data["execution_id"])
    again = dirigent(*run, "-o", "json", data=tmp_path / "data")
    assert (again.code, _statuses(again.data)) == (1, {"first": "succeeded", "divide": "failed"})
    assert _events(tmp_path / "data") == ["did.first"]
    mended = dirigent("fork", failed.data["execution_id"], "-i", "by=4", "-o", "json", data=tmp_path / "data")
    assert (mended.code, mended.data["steps"][1]["output"]) == (0, {"quotient": 3})
    good = dirigent("retry", mended.data["execution_id"], data=tmp_path / "data")
    assert good.code == 1
    assert "Fork it" in good.err


def test_a_signal_lets_a_waiting_run_go_on(tmp_path: Path) -> None:
    """With its data; the same signal under the same id counts once, another under it is refused."""
    waiting, data = _run(tmp_path, WAITS)
    run = waiting.data["execution_id"]
    assert f"dirigent signal {run} order.paid" in dirigent("show", run, data=data).out
    wrong = dirigent("signal", run, "not a name", data=data)
    assert (wrong.code, "Write it as" in wrong.err) == (2, True)
    told = ("signal", run, "order.paid", "-i", "sum=49", "--id", "o-17")
    said = dirigent(*told, "-o", "json", data=data)
    assert (said.code, said.data) == (0, {"execution_id": run, "status": "completed"})
    assert dirigent(*told, data=data).code == 0
    other = dirigent("signal", run, "order.paid", "-i", "sum=50", "--id", "o-17", data=data)
    assert (other.code, "something else" in other.err) == (1, True)
    assert _published(data) == [("thanks.said", {"sum": 49})]


def test_a_paused_run_does_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    """What it is told meanwhile is kept; pausing twice is refused."""
    waiting, data = _run(tmp_path, WAITS)
    run = waiting.data["execution_id"]
    said = dirigent("pause", run, "--reason", "lunch", "-o", "json", data=data)
    assert (said.code, said.data) == (0, {"execution_id": run, "status": "paused"})
    assert f"dirigent resume {run}" in dirigent("show", run, data=data).out
    assert dirigent("pause", run, data=data).code == 1
    dirigent("signal", run, "order.paid", "-i", "sum=49", data=data)
    assert _events(data) == []
    resumed = dirigent("resume", run, "-o", "json", data=data)
    assert (resumed.code, resumed.data["status"]) == (0, "completed")
    assert _events(data) == ["thanks.said"]
    logged = dirigent("logs", run, "-o", "json", data=data).data
    assert [e["reason"] for e in logged if e["type"] == "ExecutionPaused"] == ["lunch"]


@pytest.mark.parametrize(
    "command", ["outcomes", "resolve", "pause", "resume", "signal", "fork", "retry", "cancel"]
)
def test_help_shows_an_example(command: str) -> None:
    """Each of them can be copied."""
    said = dirigent(command, "--help")
    assert said.code == 0
    assert f"  dirigent {command}" in said.out.partition("Example")[2]


def test_without_a_data_folder(tmp_path: Path) -> None:
    """Nothing is made, and it is said what to do."""
    for words in (("pause", "e"), ("fork", "e"), ("retry", "e"), ("signal", "e", "a.b")):
        said = dirigent(*words, data=tmp_path / "none")
        assert said.code != 0
        assert "fix:" in said.err
    assert not (tmp_path / "none").exists()


ASKS = """\
workflow:
  name: asks
  steps:
    - {id: paid, type: wait_for_event, event: order.paid, filter: event.data.sum > 10}
    - {id: agree, type: approval, timeout: 1d, parameters: {reason: "Ship it?"}}
    - {id: night, type: wait, duration: 8h}
"""
OUTER = """\
workflow:
  name: outer
  steps:
    - {id: inner, type: subworkflow, workflow: asks}
"""


def test_a_run_that_waits_names_the_command_that_ends_the_wait(tmp_path: Path) -> None:
    """An event, a person and a time, inside a workflow that was started by another; waiting is no failure."""
    asks, outer, data = tmp_path / "asks.yaml", tmp_path / "outer.yaml", tmp_path / "data"
    asks.write_text(ASKS)
    outer.write_text(OUTER)
    dirigent("workflow", "save", asks, data=data)
    said = dirigent("run", outer, data=data)
    assert said.code == 0
    own = re.findall(r"exec_[0-9a-f-]+", said.out)[0]
    assert "waits for  order.paid (inner/paid)" in said.out
    assert f"dirigent signal {own}/inner order.paid -i sum=VALUE" in said.out
    dirigent("signal", f"{own}/inner", "order.paid", "-i", "sum=12", data=data)
    shown = dirigent("show", own, data=data).out
    [command] = re.findall(r"dirigent (approve \S+)  ", shown)
    assert "waits for  a person (inner/agree)" in shown
    assert dirigent(*command.split(), data=data).code == 0
    told = dirigent("show", own, "-o", "json", data=data).data
    [wait] = told["waits_for"]
    assert (wait["kind"], wait["step"], wait["command"]) == ("time", "night", f"dirigent resume {own}")


def test_a_run_that_waits_for_nothing_says_nothing_of_waiting(tmp_path: Path) -> None:
    """Its answer has an empty list, and its report no such line."""
    said, data = _run(tmp_path, FIVE)
    assert (said.code, said.data["waits_for"]) == (0, [])
    assert "waits for" not in dirigent("show", said.data["execution_id"], data=data).out


def test_a_signal_that_would_only_fail_the_step_is_refused(tmp_path: Path) -> None:
    """What the filter cannot read is named, and the run waits on; what it does not take is kept."""
    said, data = _run(tmp_path, ASKS)
    own = said.data["execution_id"]
    for words in ([], ["-i", "total=12"]):
        wrong = dirigent("signal", own, "order.paid", *words, data=data)
        assert (wrong.code, "paid waits for order.paid and cannot read this" in wrong.err) == (2, True)
        assert f"dirigent signal {own} order.paid -i sum=VALUE" in wrong.err
    early = dirigent("signal", own, "order.sent", data=data)
    small = dirigent("signal", own, "order.paid", "-i", "sum=3", data=data)
    for kept in (early, small):
        assert (kept.code, "it is kept until one that waits for it does" in kept.out) == (0, True)
        assert "It waits for: order.paid (paid)" in kept.out
    taken = dirigent("signal", own, "order.paid", "-i", "sum=12", "--id", "s", data=data)
    again = dirigent("signal", own, "order.paid", "-i", "sum=12", "--id", "s", data=data)
    for told in (taken, again):
        assert (told.code, "kept" in told.out) == (0, False)
        assert "It waits for: a person (agree)" in told.out


def test_resume_names_what_waits_for_word_on_an_effect(unclear: Path) -> None:
    """It is neither an event nor a time that such a run waits for."""
    said = dirigent("resume", data=unclear)
    assert (said.code, "Waiting for word on what was sent: 1. See dirigent outcomes" in said.out) == (0, True)
    assert "an event" not in said.out


@agent("sleeper", domain="test")
class Sleeper:
    """Says that it sleeps, and does."""

    asleep = asyncio.Event()

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def sleep(self) -> None:
        """Sleep for good."""
        Sleeper.asleep.set()
        await asyncio.Event().wait()


def test_a_run_that_nobody_works_on_names_the_command_that_does(tmp_path: Path) -> None:
    """It waits for nothing but a process; while one is at it, nothing is said."""

    async def interrupted() -> tuple[str, str]:
        Sleeper.asleep = asyncio.Event()
        steps = [{"id": "s", "type": "agent", "agent": "sleeper", "action": "sleep"}]
        async with Dirigent(tmp_path, agents=[Sleeper]) as working:
            definition = definition_from({"name": "night", "steps": steps})
            run = await working.intake.run_workflow(definition)
            await Sleeper.asleep.wait()
            return run, dirigent("show", run, data=tmp_path).out

    run, meanwhile = asyncio.run(interrupted())
    assert "dirigent resume" not in meanwhile
    told = dirigent("show", run, data=tmp_path).out
    assert re.search(f"dirigent resume {run} +nobody works on it", told)
