"""`run_flow`: functions one after the other, with policies, as an execution like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from dirigent.domain.envelope import Envelope
from dirigent.domain.errors import ActionFailed, InvalidInput
from dirigent.domain.workflow import Retry
from dirigent.execution.submitting import Dispatcher
from dirigent.ports.queueing import OrchestrationEngineProtocol
from dirigent.runtimes.flow_engine import OrchestrationEngine, run_flow
from dirigent.runtimes.flow_nodes import Node
from dirigent.testing.frozen_clock import FrozenClock

PAYLOAD = {"org_id": "org_123", "leads": ["ann", "bob", "cid"]}


def pick(payload: dict[str, Any]) -> list[str]:
    return list(payload["leads"])


async def score(leads: list[str]) -> list[dict[str, Any]]:
    return [{"id": name, "score": len(name)} for name in leads]


def rank(scored: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(scored, key=lambda lead: str(lead["id"]), reverse=True)


class Recording:
    """A dispatcher that notes who was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._inner = Dispatcher()

    async def submit(self, agent_name: str, func: Any, *args: Any, **kwargs: Any) -> Any:
        self.asked.append(agent_name)
        return await self._inner.submit(agent_name, func, *args, **kwargs)


def test_a_sequence_gives_an_envelope() -> None:
    """Each function takes what the one before it gave, in its agent's place; the last makes the records."""
    dispatcher = Recording()
    envelope = run_flow([pick, score, rank], PAYLOAD, dispatcher).validate()
    assert dispatcher.asked == ["pick", "score", "rank"]
    assert [(record.id, record.type) for record in envelope.records] == [
        ("cid", "rank"),
        ("bob", "rank"),
        ("ann", "rank"),
    ]
    assert {record.provenance["node"] for record in envelope.records} == {"rank"}
    assert (envelope.metadata["tenant_id"], envelope.metadata["status"]) == ("org_123", "ok")


async def test_it_is_an_execution() -> None:
    """The run can be read as every run is: a step a node, with agent, times and output."""
    engine = OrchestrationEngine()
    assert isinstance(engine, OrchestrationEngineProtocol)
    envelope = await engine.run_flow([pick, score], PAYLOAD)
    assert engine.last is not None
    assert (engine.last.status, engine.last.execution_id) == ("completed", envelope.metadata["run_id"])
    assert [(step.id, step.status) for step in engine.last.steps.values()] == [
        ("pick", "succeeded"),
        ("score", "succeeded"),
    ]
    assert engine.last.steps["pick"].output == PAYLOAD["leads"]


async def test_an_envelope_of_the_last_node_stands() -> None:
    """Its metadata and records are kept; what it does not say of the run is added."""

    def write(payload: dict[str, Any]) -> Envelope:
        provenance = {"source": "crm", "agent": "w", "run_id": "r9", "node": "w", "created_at": "now"}
        record = {"id": "rec_1", "type": "note", "data": {"text": "x"}, "provenance": provenance}
        metadata = {"run_id": "r9", "tenant_id": "t", "status": "held", "created_at": "now"}
        return Envelope.from_records([record], metadata)

    envelope = await OrchestrationEngine().run_flow([write], PAYLOAD)
    assert (envelope.metadata["run_id"], envelope.metadata["status"]) == ("r9", "held")
    assert envelope.metadata["flow"] == "flow"
    assert [record.provenance["source"] for record in envelope.records] == ["crm"]


async def test_max_parallel_of_a_node_is_never_exceeded() -> None:
    """Two of ten items at once, although the agent could take more."""
    running = most = 0

    async def work(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        return item

    node = Node(func=work, each="numbers", max_parallel=2)
    envelope = await OrchestrationEngine().run_flow([node], {"numbers": list(range(10))})
    assert [record.data["value"] for record in envelope.records] == list(range(10))
    assert most == 2


async def test_each_takes_the_items_of_the_node_before() -> None:
    """A list as it is, or the results of a node that ran once per item."""
    flow = [Node(func=pick), Node(func=str.upper, each=True), Node(func=len, each=True), Node(func=list)]
    envelope = await OrchestrationEngine().run_flow(flow, PAYLOAD)
    assert [record.data["value"] for record in envelope.records] == [3, 3, 3]


async def test_a_node_is_tried_again_after_its_wait() -> None:
    """Two connections lost, the third holds: attempts at 0, 1 and 3 seconds."""
    clock = FrozenClock()
    tried: list[int] = []

    def call(payload: dict[str, Any]) -> str:
        tried.append(clock.now_ms())
        if len(tried) < 3:
            raise ConnectionError("no line")
        return "there"

    retry = Retry(max_attempts=3, initial_ms=1000, jitter=0.0)
    engine = OrchestrationEngine(clock=clock)
    envelope = await _driven(engine.run_flow([Node(func=call, retry=retry)], {}), clock)
    assert [at - tried[0] for at in tried] == [0, 1000, 3000]
    assert envelope.records[0].data == {"value": "there"}


async def test_what_another_try_would_not_mend_is_not_tried_again() -> None:
    """A wrong input stays one; the caller is told by the exception itself."""
    tried = 0

    def check(payload: dict[str, Any]) -> None:
        nonlocal tried
        tried += 1
        raise InvalidInput("no such lead", field="lead")

    engine = OrchestrationEngine()
    with pytest.raises(InvalidInput, match="no such lead"):
        await engine.run_flow([Node(func=check, retry=Retry(max_attempts=3)), rank], {})
    assert tried == 1
    assert engine.last is not None
    assert engine.last.status == "failed"
    assert engine.last.steps["rank"].status == "skipped"


async def test_a_fallback_takes_the_place_of_a_result() -> None:
    """After the last attempt, and the trace says so."""

    def ask(payload: dict[str, Any]) -> str:
        raise TimeoutError

    engine = OrchestrationEngine()
    envelope = await engine.run_flow([Node(func=ask, fallback=lambda payload: "by rule")], {})
    assert envelope.records[0].data == {"value": "by rule"}
    assert engine.last is not None
    assert engine.last.steps["ask"].status == "succeeded"


async def test_a_fallback_waits_for_the_last_attempt() -> None:
    """A node that gets there in its second attempt needs none."""
    clock, tried = FrozenClock(), 0

    def ask(payload: dict[str, Any]) -> str:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise TimeoutError
        return "by asking"

    node = Node(func=ask, retry=Retry(max_attempts=2), fallback=lambda payload: "by rule")
    envelope = await _driven(OrchestrationEngine(clock=clock).run_flow([node], {}), clock)
    assert envelope.records[0].data == {"value": "by asking"}


async def test_a_node_that_may_fail_leaves_the_flow_partial() -> None:
    """The envelope names what is missing and why."""

    def odd(number: int) -> int:
        if number % 2:
            raise ActionFailed("odd")
        return number

    flow = [Node(func=odd, each="numbers", on_error="continue")]
    envelope = await OrchestrationEngine().run_flow(flow, {"numbers": [0, 1, 2, 3]})
    assert [record.data["value"] for record in envelope.records] == [0, 2]
    assert envelope.metadata["status"] == "partial"
    assert {error["node"] for error in envelope.metadata["errors"]} == {"odd[1]", "odd[3]"}


async def test_an_item_that_fails_fails_the_flow_with_its_own_error() -> None:
    """The first one's, and the rest is not waited for."""

    def lost(number: int) -> int:
        raise ConnectionResetError(f"item {number}")

    with pytest.raises(ConnectionResetError, match="item 0"):
        await OrchestrationEngine().run_flow([Node(func=lost, each="numbers")], {"numbers": [0, 1]})


async def test_a_node_has_its_time() -> None:
    """One that hangs is broken off at its limit."""
    node = Node(func=lambda payload: asyncio.Event().wait(), timeout_s=0.01)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(OrchestrationEngine().run_flow([node], {}), 5)


async def test_a_flow_that_is_cancelled_leaves_nothing_running() -> None:
    """Its nodes are cancelled with it."""
    ended: list[str] = []

    async def hang(payload: dict[str, Any]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("hang")

    task = asyncio.ensure_future(OrchestrationEngine().run_flow([hang], {}))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["hang"]


async def test_a_node_that_cancels_itself_does_not_hang_the_flow() -> None:
    """Whoever waits is told."""

    async def give_up(payload: dict[str, Any]) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(OrchestrationEngine().run_flow([give_up], {}), 5)


@pytest.mark.parametrize(
    ("flow", "field"),
    [
        ([], "flow"),
        ([pick, 3], "flow[1]"),
        ([Node(func=pick, on_error="ignore")], "flow[0].on_error"),
    ],
)
async def test_what_is_no_flow_is_refused(flow: Any, field: str) -> None:
    """With its place."""
    with pytest.raises(InvalidInput) as caught:
        await OrchestrationEngine().run_flow(flow, {})
    assert caught.value.field == field


async def test_nodes_of_one_name_are_told_apart() -> None:
    """Also lambdas, and names that are none."""
    engine = OrchestrationEngine()
    await engine.run_flow([lambda value: 1, lambda value: 2, Node(func=str, name="3 über")], {})
    assert engine.last is not None
    assert list(engine.last.steps) == ["lambda", "lambda_2", "n3__ber"]


async def test_what_cannot_be_stored_is_no_output() -> None:
    """A node gives plain data, so that its run can be read again."""
    with pytest.raises(InvalidInput, match="The output of broken"):
        await OrchestrationEngine().run_flow([Node(func=lambda value: object(), name="broken")], {})


async def _driven(work: Coroutine[Any, Any, Envelope], clock: FrozenClock) -> Envelope:
    """Run something to its end, moving the clock whenever nothing else happens."""
    task = asyncio.ensure_future(work)
    while not task.done():
        done, _ = await asyncio.wait([task], timeout=0.005)
        due = clock.next_due()
        if not done and due is not None:
            clock.move_to(due)
    return task.result()
