"""Actions taken by their agent's server: the same results and failures as here, and each effect once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import Field, create_model

from dirigent import Dirigent, Effect, Registry, Risk, action, agent
from dirigent.domain.errors import ActionFailed, TransientError
from dirigent.domain.event import Event, StepFailed, StepOutcomeUnknown, StepStarted, TimerFired
from dirigent.execution.elsewhere import contract_of
from dirigent.interpreter.loading import definition_from
from dirigent.settings import read_settings
from dirigent.testing.frozen_clock import FrozenClock
from tests.remote.bench import COPIES, KEY, Bench, Press, Said, a_call, bench, posted, workflow

AGAIN = {"max_attempts": 3, "initial": "1ms", "jitter": 0}
NOTICE = {
    "id": "tell",
    "type": "agent",
    "agent_type": "notifier",
    "action": "send_notification",
    "parameters": {
        "content": "Stock is low",
        "recipients": ["ann@example.com"],
        "channels": ["in_app", "email"],
    },
}


def print_with(doc: str, name: str) -> type[Any]:
    """An agent with one action whose input has a name and whose words are these."""

    page = create_model("Page", **{name: (str, Field(description=doc))})  # type: ignore[call-overload]

    async def print_one(self: Any, page: Any) -> str:
        return "done"

    print_one.__doc__ = doc
    print_one.__annotations__["page"] = page
    kind = type("Printer", (), {"print_one": action(risk=Risk.R0, effect=Effect.PURE)(print_one)})
    return agent("printer", domain="test")(kind)


@pytest.fixture
async def press(tmp_path: Path) -> AsyncIterator[Bench]:
    """An engine and the server of its agent."""
    COPIES.reset()
    async with bench(tmp_path) as opened:
        yield opened


def told(press: Bench, reading: Any, kind: type[Event]) -> list[Any]:
    """The events of one kind in the caller's journal."""
    return [event for event in press.dirigent.engine.events(reading.execution_id) if isinstance(event, kind)]


async def here(folder: Path, act: str) -> Any:
    """The same workflow with the agent that is built in."""
    settings = read_settings(environment={}, data_folder=folder / "here")
    async with Dirigent(settings=settings, agents=[Press]) as dirigent:
        return await dirigent.run(workflow(act), {"text": "news"})


async def test_the_server_acts_for_the_caller(press: Bench) -> None:
    """The agent sees tenant, run, step, attempt, key, time and level of the caller, not of its server."""
    reading = await press.run("print_one")
    seen = reading.output["seen"]
    [started] = told(press, reading, StepStarted)
    assert reading.status == "completed"
    assert (seen["tenant"], seen["execution_id"], seen["step"]) == ("default", reading.execution_id, "print")
    assert (seen["attempt"], seen["autonomy"], seen["key"]) == (1, "L1", started.key)
    [row] = press.server.engine.executions()
    assert (row.status, row.trigger, row.tenant) == ("completed", "remote", "default")
    [there] = [
        event for event in press.server.engine.events(row.execution_id) if isinstance(event, StepStarted)
    ]
    assert there.key == started.key
    assert list(COPIES.by_key) == [started.key]


async def test_a_failure_is_the_one_it_would_be_here(press: Bench, tmp_path: Path) -> None:
    """Code, message and fix of an agent's own failure come over unchanged."""
    there, at_home = await press.run("spoil"), await here(tmp_path, "spoil")
    assert there.error is not None
    assert there.error == at_home.error
    assert "Make a new one." in there.error.message


async def test_an_input_that_does_not_fit_is_refused_here(press: Bench) -> None:
    """Nothing goes over the line that the action would not take."""
    reading = await press.run("print_one", {"text": 7})
    assert reading.error.code == "invalid_input"
    assert not press.wire.requests


async def test_refused_before_anything_was_sent(press: Bench) -> None:
    """Even an effect that must not be repeated is tried again, and nothing was let out before."""
    press.wire.before = [httpx2.ConnectError("connection refused")]
    reading = await press.run("shout", retry_policy=AGAIN)
    [failed] = told(press, reading, StepFailed)
    assert (failed.error.code, failed.error.retryable, failed.sent_at) == ("not_taken", True, 0)
    assert "nothing was sent" in failed.error.message
    assert (reading.status, reading.output) == ("completed", "heard")
    assert COPIES.runs == ["news"]


async def test_no_answer_to_a_keyed_effect(press: Bench) -> None:
    """It is asked for again under the same key, and the server tells its first outcome."""
    press.wire.after = [httpx2.ReadError("the line is dead")]
    reading = await press.run("print_one", retry_policy=AGAIN)
    [failed] = told(press, reading, StepFailed)
    assert (failed.error.code, failed.sent_at > 0) == ("transient", True)
    assert reading.output["seen"]["attempt"] == 1
    assert (reading.status, COPIES.runs, len(COPIES.by_key)) == ("completed", ["news"], 1)


async def test_no_answer_to_an_effect_that_must_not_be_repeated(press: Bench) -> None:
    """It is listed with what was sent, when and under which key; a wrong word about it does no harm."""
    press.wire.after = [httpx2.ReadError("the line is dead")]
    reading = await press.run("shout", retry_policy=AGAIN)
    [row] = press.dirigent.engine.unknown_outcomes()
    [unknown] = told(press, reading, StepOutcomeUnknown)
    assert (row.inputs, row.key, row.sent_at > 0) == ({"text": "news"}, unknown.key, True)
    assert len(press.wire.requests) == 1
    await press.dirigent.engine.resolve(reading.execution_id, "print", happened=False, actor="ann")
    ended = await press.dirigent.engine.rest(reading.execution_id)
    assert (ended.status, ended.output, COPIES.runs) == ("completed", "heard", ["news"])


async def test_a_server_that_does_not_know(press: Bench) -> None:
    """Its unknown outcome is the caller's, with the receiver's reference; the caller's word settles both."""
    COPIES.trouble = [TransientError("no echo")]
    reading = await press.run("shout")
    [row] = press.dirigent.engine.unknown_outcomes()
    assert (row.reference, COPIES.runs) == ("voice-1", ["news"])
    assert len(press.server.engine.unknown_outcomes()) == 1
    await press.dirigent.engine.resolve(reading.execution_id, "print", happened=False, actor="ann")
    ended = await press.dirigent.engine.rest(reading.execution_id)
    assert (ended.status, COPIES.runs) == ("completed", ["news", "news"])
    assert not press.server.engine.unknown_outcomes()


async def test_an_outcome_is_read_back_over_the_line(press: Bench) -> None:
    """A queryable effect whose answer was lost is looked up at the server and settled by that."""
    press.wire.after = [httpx2.ReadError("the line is dead")]
    reading = await press.run("post")
    assert reading.steps["print"].status == "outcome_unknown"
    await press.dirigent.engine.read_back(reading.execution_id, "print", actor="ann")
    ended = await press.dirigent.engine.rest(reading.execution_id)
    assert (ended.status, ended.output, COPIES.runs) == ("completed", "news", ["news"])


async def test_a_failure_that_another_try_mends(press: Bench) -> None:
    """The server tries anew under the same key where its first try may be mended."""
    COPIES.trouble = [TransientError("no paper")]
    reading = await press.run("print_one", retry_policy=AGAIN)
    [failed] = told(press, reading, StepFailed)
    assert failed.error.message == "no paper"
    assert (reading.status, reading.output["seen"]["attempt"]) == ("completed", 2)
    assert reading.output["seen"]["key"] == next(iter(COPIES.by_key))
    assert COPIES.runs == ["news", "news"]


async def test_a_failure_for_good_is_told_again(press: Bench) -> None:
    """An effect that failed for good is not tried anew by a repeated call."""
    COPIES.trouble = [ActionFailed("The ink is dry.")]
    press.wire.after = [httpx2.ReadError("the line is dead")]
    reading = await press.run("print_one", retry_policy=AGAIN)
    assert (reading.status, reading.error.message) == ("failed", "The ink is dry.")
    assert COPIES.runs == ["news"]


async def test_what_failed_is_in_the_way_of_nothing_else(press: Bench) -> None:
    """A key under which nothing came about may be used for something else; the same is not tried again."""
    COPIES.trouble = [ActionFailed("The ink is dry.")]
    first, second = await posted(press, a_call(text="news")), await posted(press, a_call(text="news"))
    other = await posted(press, a_call(text="in pencil"))
    assert [one.json()["status"] for one in (first, second, other)] == ["failed", "failed", "succeeded"]
    assert COPIES.runs == ["news", "in pencil"]


async def test_a_call_of_the_server_s_agent_of_which_nobody_knows_the_end(press: Bench) -> None:
    """Where a keyed action made a call that is unclear there, its step here waits for a person, too."""
    COPIES.trouble = [TransientError("no echo")]
    reading = await press.run("print_loud", retry_policy=AGAIN)
    [row] = press.dirigent.engine.unknown_outcomes()
    assert (row.action, reading.steps["print"].status) == ("print_loud", "outcome_unknown")
    assert press.server.engine.unknown_outcomes()[0].action == "shout"
    await press.dirigent.engine.resolve(reading.execution_id, "print", happened=False, actor="ann")
    ended = await press.dirigent.engine.rest(reading.execution_id)
    assert (ended.status, ended.output, COPIES.runs) == ("completed", "heard", ["news", "news"])


async def test_reading_is_done_anew(press: Bench) -> None:
    """What has no effect is never answered from an earlier call."""
    press.wire.after = [httpx2.ReadError("the line is dead")]
    reading = await press.run("count", retry_policy=AGAIN)
    assert (reading.output, COPIES.runs) == (0, ["count", "count"])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Said(302, headers={"location": "http://169.254.169.254/"}), "bad_answer"),
        (Said(200, b"<html>welcome</html>"), "bad_answer"),
        (Said(200, b'{"status": "succeeded", "output": {"copy_id": 7}}'), "bad_output"),
        (Said(200, b'{"status": "wonderful"}'), "bad_answer"),
        (Said(200, b'{"status": "failed", "error": "a text"}'), "bad_answer"),
        (Said(200, b"x", {"content-encoding": "br"}), "bad_answer"),
        (Said(200, b"x" * 9_500_000), "bad_answer"),
        (Said(404, b"no such page"), "bad_answer"),
        (Said(502, b"bad gateway"), "transient"),
        (Said(429, b"a proxy is busy"), "transient"),
    ],
)
async def test_an_answer_that_is_none(press: Bench, answer: Said, code: str) -> None:
    """What is no answer of ours is refused; of an effect that must not be repeated it says nothing."""
    press.wire.instead = [answer, answer]
    reading = await press.run("print_one")
    assert (reading.status, reading.error.code) == ("failed", code)
    parked = await press.run("shout")
    assert parked.steps["print"].status == "outcome_unknown"
    assert len(press.wire.requests) == 2


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_asks_for_patience(tmp_path: Path, status: int) -> None:
    """The next attempt waits as long as the server asks for."""
    COPIES.reset()
    clock = FrozenClock()
    async with bench(tmp_path, clock=clock) as press:
        press.wire.instead = [Said(status, headers={"retry-after": "7"})]
        engine, definition = press.dirigent.engine, workflow("print_one", retry_policy=AGAIN)
        run = await press.dirigent.intake.run_workflow(definition, {"text": "news"})
        await engine.rest(run, patience_ms=1)
        clock.move(60_000)
        reading = await engine.rest(run)
        [failed], [fired] = told(press, reading, StepFailed), told(press, reading, TimerFired)
    assert (reading.status, fired.at - failed.at) == ("completed", 7_000)
    assert len(press.wire.requests) == 2


async def test_too_many_at_once(tmp_path: Path) -> None:
    """A server that takes in no more says so itself: nothing was let out, and when to come again."""
    COPIES.reset()
    hold, entered = asyncio.Event(), asyncio.Event()

    async def held() -> None:
        entered.set()
        await hold.wait()

    COPIES.held = held
    crowded = {"MAX_CONCURRENT_WORKFLOWS": "1", "MAX_PENDING_WORKFLOWS": "0"}
    async with bench(tmp_path, there=crowded) as press:
        first = asyncio.ensure_future(press.run("print_one"))
        await entered.wait()
        second = await press.run("shout", {"text": "second"})
        [failed] = told(press, second, StepFailed)
        hold.set()
        assert (await first).status == "completed"
    assert (failed.error.code, failed.sent_at, failed.error.retryable) == ("not_taken", 0, True)
    assert failed.error.retry_after_ms > 0


async def test_two_at_once_under_one_key(press: Bench) -> None:
    """A call that comes while the same is under way waits for its outcome."""
    hold, entered = asyncio.Event(), asyncio.Event()

    async def held() -> None:
        entered.set()
        await hold.wait()

    COPIES.held = held
    call = a_call(text="news")
    async with asyncio.TaskGroup() as group:
        both = [group.create_task(posted(press, call)) for _ in range(2)]
        await entered.wait()
        hold.set()
    answers = [task.result().json() for task in both]
    assert [answer["status"] for answer in answers] == ["succeeded", "succeeded"]
    assert answers[0]["output"] == answers[1]["output"]
    assert sorted(answer["replayed"] for answer in answers) == [False, True]
    assert COPIES.runs == ["news"]


async def test_a_key_stands_for_one_thing(press: Bench) -> None:
    """Other inputs under the key of what was done are refused; another tenant's key is another one."""
    assert (await posted(press, a_call(text="news"))).json()["status"] == "succeeded"
    refused = await posted(press, a_call(text="olds"))
    assert (refused.status_code, refused.json()["code"]) == (409, "key_reused")
    other = await posted(press, a_call(text="olds", tenant="other"))
    assert other.json()["status"] == "succeeded"
    assert COPIES.runs == ["news", "olds"]


async def test_another_declaration_on_the_other_side(tmp_path: Path) -> None:
    """Both sides have to know the action by the same contract; the error names both, and nothing was done."""

    @agent("press", domain="test")
    class NewerPress:
        """Prints in colour."""

        @action(risk=Risk.R1, effect=Effect.KEYED)
        async def print_one(self, text: str, colour: str = "black") -> str:
            """Print a text."""
            return f"{colour} {text}"

    COPIES.reset()
    async with bench(tmp_path, own=NewerPress) as press:
        reading = await press.run("print_one")
        ours = contract_of(press.dirigent.registry.action("press", "print_one"))
        theirs = contract_of(press.server.registry.action("press", "print_one"))
    assert reading.error.code == "contract_differs"
    assert ours[:12] in reading.error.message
    assert theirs[:12] in reading.error.message
    assert not press.server.settings.agent_addresses


def test_wording_is_no_part_of_a_contract() -> None:
    """Two declarations that differ in their descriptions only are the same; a field called title counts."""
    contracts = []
    for doc, name in (("One.", "title"), ("Another.", "title"), ("One.", "heading")):
        method = print_with(doc, name)
        contracts.append(contract_of(Registry([method]).action("printer", "print_one")))
    assert contracts[0] == contracts[1] != contracts[2]


async def test_what_a_person_approved_is_not_asked_again(press: Bench) -> None:
    """The caller asks; the server takes its word for exactly that."""
    reading = await press.run("burn")
    assert (reading.status, press.wire.requests) == ("awaiting_approval", [])
    [row] = press.dirigent.engine.approvals()
    await press.dirigent.engine.approve(row.approval_id, "ann")
    ended = await press.dirigent.engine.rest(reading.execution_id)
    assert (ended.status, ended.output) == ("completed", "burnt news")
    assert not press.server.engine.approvals(state=None)


async def test_the_server_s_own_delivery_switch_holds(tmp_path: Path) -> None:
    """What the caller lets leave the server still keeps in; nothing waits there behind the caller's back."""
    COPIES.reset()
    on = {"DIRIGENT_ALLOW_DELIVERY": "1"}
    async with bench(tmp_path / "kept", here=on) as press:
        reading = await press.run("send")
        assert (reading.status, reading.error.code) == ("failed", "refused")
        assert "allow_delivery is off" in reading.error.message
        assert not press.server.engine.approvals()
        assert [row.status for row in press.server.engine.executions()] == ["cancelled"]
    assert not COPIES.runs
    async with bench(tmp_path / "out", here=on, there=on) as press:
        assert (await press.run("send")).output == "sent news"


async def test_what_says_itself_that_it_is_held(tmp_path: Path) -> None:
    """It is held where either side lets nothing leave, and that is no outcome that a later call would get."""
    COPIES.reset()
    on = {"DIRIGENT_ALLOW_DELIVERY": "1"}
    async with bench(tmp_path / "here", there=on) as press:
        assert (await press.run("announce")).output == "held: allow_delivery is off for this run"
    async with bench(tmp_path / "there", here=on) as press:
        assert (await press.run("announce")).output == "held: allow_delivery is off"
    async with bench(tmp_path / "both", here=on, there=on) as press:
        assert (await press.run("announce")).output == "announced news"
        held = await posted(press, a_call("announce", text="news") | {"delivery": False})
        let_out = await posted(press, a_call("announce", text="news"))
        again = await posted(press, a_call("announce", text="news"))
    assert [answer.json()["output"].partition(" ")[0] for answer in (held, let_out, again)] == [
        "held:",
        "announced",
        "announced",
    ]
    assert again.json()["replayed"]


async def test_who_does_not_wait_any_more(press: Bench) -> None:
    """A time limit goes along, and what has no effect is stopped where its caller has left."""
    COPIES.held = asyncio.Event().wait
    reading = await press.run("count", timeout="50ms")
    assert reading.error.code == "step_timeout"
    async with asyncio.timeout(10):
        row = await press.server.engine.rest(press.server.engine.executions()[0].execution_id)
    assert row.status in ("cancelled", "failed")
    sent = json.loads(press.wire.requests[0].content)
    assert sent["time_limit_ms"] == 50


async def test_who_left_before_an_effect_began(tmp_path: Path) -> None:
    """It does not begin after all, behind the back of a caller whose time was over; asked again it does."""
    COPIES.reset()
    hold, entered = asyncio.Event(), asyncio.Event()

    async def held() -> None:
        entered.set()
        await hold.wait()

    COPIES.held = held
    async with bench(tmp_path, there={"MAX_CONCURRENT_WORKFLOWS": "1"}) as press:
        first = asyncio.ensure_future(press.run("print_one", {"text": "first"}))
        await entered.wait()
        late = await press.run("shout", {"text": "late"}, timeout="50ms")
        assert late.steps["print"].status == "outcome_unknown"
        await press.server.calls.settled()
        hold.set()
        assert (await first).status == "completed"
        rows = press.server.engine.executions()
        assert sorted((row.workflow, row.status) for row in rows) == [
            ("press.print_one", "completed"),
            ("press.shout", "cancelled"),
        ]
        assert COPIES.runs == ["first"]
        await press.dirigent.engine.resolve(late.execution_id, "print", happened=False, actor="ann")
        ended = await press.dirigent.engine.rest(late.execution_id)
    assert (ended.status, COPIES.runs) == ("completed", ["first", "late"])


async def test_a_line_that_is_hung_up(press: Bench) -> None:
    """What only reads ends at once where its caller hangs up, long before any time limit."""
    entered, hung_up = asyncio.Event(), asyncio.Event()

    async def held() -> None:
        entered.set()
        await asyncio.Event().wait()

    async def receive() -> dict[str, Any]:
        if body:
            return {"type": "http.request", "body": body.pop()}
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody listens")

    COPIES.held, body = held, [json.dumps(a_call("count")).encode()]
    headers = [(b"authorization", f"Bearer {KEY}".encode()), (b"host", b"127.0.0.1")]
    path = {"path": "/api/v1/agents/press/calls", "query_string": b"", "headers": headers}
    scope = {"type": "http", "method": "POST", "http_version": "1.1", "scheme": "http", **path}
    answering = asyncio.ensure_future(press.server.app()(scope, receive, send))
    await entered.wait()
    hung_up.set()
    await answering
    await press.server.calls.settled()
    [row] = press.server.engine.executions()
    assert row.status == "cancelled"


async def test_a_large_input(press: Bench) -> None:
    """What a step may take at all goes over the line as well."""
    reading = await press.run("shout", {"text": "x" * 7_900_000})
    assert (reading.status, len(COPIES.runs[0])) == ("completed", 7_900_000)


async def test_a_notice_that_also_leaves(tmp_path: Path) -> None:
    """The notifier works at its server as here, the call that it makes of itself included."""
    definition = definition_from({"name": "tell", "steps": [NOTICE]})
    async with bench(tmp_path, named="notifier") as press:
        reading = await press.dirigent.run(definition)
        [row] = press.server.records.fetch("default", "notices")
    [kept, sent] = reading.output["deliveries"]
    assert (kept["delivered"], kept["channel"], row["notice_id"]) == (True, "in_app", kept["id"])
    assert row["run_id"] == reading.execution_id
    assert (sent["delivered"], sent["channel"]) == (False, "email")
