"""`Dispatcher({"writer": 2})`: functions of the caller's own, never more at once than an agent may."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from dirigent.domain.errors import Conflict, InvalidInput, QueueFull, TransientError
from dirigent.execution.submitting import Dispatcher
from dirigent.execution.transience import is_transient_error
from dirigent.ports.queueing import DispatcherProtocol


class Crowd:
    """Counts who is there at the same time, from any thread."""

    def __init__(self) -> None:
        self.most = 0
        self._here = 0
        self._lock = threading.Lock()

    async def visit(self, number: int) -> int:
        """Be there for a few turns of the loop."""
        self._come(1)
        for _ in range(5):
            await asyncio.sleep(0)
        self._come(-1)
        return number

    def stay(self, number: int) -> int:
        """Be there in a thread."""
        self._come(1)
        threading.Event().wait(0.002)
        self._come(-1)
        return number

    def _come(self, by: int) -> None:
        with self._lock:
            self._here += by
            self.most = max(self.most, self._here)


async def test_two_of_ten_at_once() -> None:
    """Limit two, ten calls: never three at once, sync or async; every result is passed on."""
    dispatcher = Dispatcher({"writer": 2})
    assert isinstance(dispatcher, DispatcherProtocol)
    for work in ("visit", "stay"):
        crowd = Crowd()
        calls = (dispatcher.submit("writer", getattr(crowd, work), number) for number in range(10))
        assert await asyncio.gather(*calls) == list(range(10))
        assert crowd.most == 2


async def test_agents_do_not_wait_for_each_other() -> None:
    """A full agent keeps nobody else out; one without a limit has the default."""
    dispatcher = Dispatcher({"writer": 1}, default=3)
    hanging = asyncio.ensure_future(dispatcher.submit("writer", asyncio.Event().wait))
    await asyncio.sleep(0)
    crowd = Crowd()
    await asyncio.gather(*(dispatcher.submit("reader", crowd.visit, number) for number in range(9)))
    assert crowd.most == 3
    hanging.cancel()


async def test_a_call_that_raises_or_is_cancelled_frees_its_place() -> None:
    """Also one that was still waiting for a place, and one that was given it in the same moment."""
    dispatcher = Dispatcher({"writer": 1})
    with pytest.raises(ZeroDivisionError):
        await dispatcher.submit("writer", divmod, 1, 0)
    gate = asyncio.Event()
    holding = asyncio.ensure_future(dispatcher.submit("writer", gate.wait))
    waiting = [asyncio.ensure_future(dispatcher.submit("writer", gate.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    gate.set()
    await holding
    waiting[1].cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, asyncio.CancelledError, bool]
    assert await asyncio.wait_for(dispatcher.submit("writer", max, 3, 7), 5) == 7


async def test_places_are_given_in_the_order_of_asking() -> None:
    """First come, first served."""
    dispatcher = Dispatcher({"writer": 1})
    order: list[int] = []

    async def note(number: int) -> None:
        order.append(number)
        await asyncio.sleep(0)

    await asyncio.gather(*(dispatcher.submit("writer", note, number) for number in range(20)))
    assert order == list(range(20))


def test_the_bound_holds_across_event_loops() -> None:
    """Four threads, each with a loop of its own, share the two places."""
    dispatcher, crowd = Dispatcher({"writer": 2}), Crowd()
    failures: list[BaseException] = []

    async def ten() -> None:
        await asyncio.gather(*(dispatcher.submit("writer", crowd.visit, number) for number in range(10)))

    def work() -> None:
        try:
            for _ in range(3):
                asyncio.run(ten())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert crowd.most == 2


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "two"])
def test_what_is_no_limit_is_refused(limit: Any) -> None:
    """With the agent's name."""
    with pytest.raises(InvalidInput) as caught:
        Dispatcher({"writer": limit})
    assert caught.value.field == "writer"


class Answered(Exception):
    """An HTTP client's error, as several clients make it."""

    def __init__(self, status: int, *, nested: bool) -> None:
        super().__init__(f"status {status}")
        if nested:
            self.response = Answered(status, nested=False)
        else:
            self.status_code = status


def _raised_from(cause: BaseException) -> Exception:
    error = RuntimeError("all connection attempts failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (TransientError("later"), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (QueueFull("full"), True),
        (Answered(429, nested=False), True),
        (Answered(503, nested=True), True),
        (_raised_from(ConnectionResetError()), True),
        (Answered(404, nested=True), False),
        (ValueError("no"), False),
        (OSError(28, "no space"), False),
        (Conflict("decided already"), False),
        (KeyError("code"), False),
    ],
    ids=repr,
)
def test_what_another_try_may_mend(error: BaseException, transient: bool) -> None:
    """Connections, time-outs, 429 and 5xx, and what says so itself."""
    assert is_transient_error(error) is transient


def test_an_expected_failure_is_what_its_class_says() -> None:
    """Also where a connection was its cause."""
    error = InvalidInput("no such host")
    error.__cause__ = ConnectionRefusedError()
    assert not is_transient_error(error)
