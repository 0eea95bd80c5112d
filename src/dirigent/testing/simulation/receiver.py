"""The systems outside that actions talk to. They outlive every crash of the engine and write all down."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from dirigent.domain.canonical import digest_of
from dirigent.domain.errors import ActionFailed, TransientError
from dirigent.ports import Context
from dirigent.testing.invariants import Called
from dirigent.testing.simulation.faults import Faults
from dirigent.testing.simulation.scheduler import Scheduler

LARGE = "x" * 20_000
LOOKUP = "/lookup"  # what the step of a call is called that asks whether an effect happened


class _Request:
    """One call on its way there and back."""

    __slots__ = ("called", "fault", "future", "given", "over", "seconds")

    def __init__(
        self, called: dict[str, Any], fault: str, seconds: float, future: asyncio.Future[Any]
    ) -> None:
        self.called = called
        self.fault = fault
        self.seconds = seconds
        self.future = future
        self.given: Any = None
        self.over = False


class Receiver:
    """Takes calls, applies them once per key where it keeps keys, and answers, or does not.

    A call that the caller gives up, by a time limit or by dying, has arrived by then or never arrives; only
    what carries a key may still be on its way. `log` holds one entry for every call that arrived.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        faults: Faults,
        chance: random.Random,
        *,
        tick: Callable[[], int],
        durable: Callable[[], int],
        passed: Callable[[str], None],
    ) -> None:
        self.log: list[Called] = []
        self._scheduler = scheduler
        self._faults = faults
        self._chance = chance
        self._tick = tick
        self._durable = durable
        self._passed = passed
        self._by_key: dict[str, Any] = {}
        self._done: dict[tuple[str, str], Any] = {}
        self._under_way: list[_Request] = []

    async def call(self, ctx: Context, agent: str, action: str, effect: str, inputs: dict[str, Any]) -> Any:
        """Make a call for a running action and wait for its answer."""
        fault = self.fault_of(agent, action, effect)
        future = asyncio.get_running_loop().create_future()
        called = {
            "sent": self._tick(),
            "durable": self._durable(),
            "tenant": ctx.tenant,
            "execution": ctx.execution_id,
            "step": ctx.step,
            "attempt": ctx.attempt,
            "agent": agent,
            "action": action,
            "effect": effect,
            "key": ctx.key,
            "payload": digest_of({"agent": agent, "action": action, "inputs": inputs}),
        }
        request = _Request(called, fault, self._latency(fault), future)
        self._under_way.append(request)
        self._scheduler.after(request.seconds, self._arrive, request)
        self._passed("sent")
        try:
            return await future
        except asyncio.CancelledError:
            self._give_up(request)
            raise

    def fault_of(self, agent: str, action: str, effect: str) -> str:
        """What goes wrong with a call; a network repeats only what may be repeated."""
        fault = self._faults.call()
        return "" if fault == "repeated" and effect not in ("keyed", "read", "pure") else fault

    def happened(self, execution: str, step: str) -> Any:
        """What an earlier call of this step did, or None: what a look-up reads, and a person sees."""
        return self._done.get((execution, step))

    def caller_died(self) -> None:
        """The process at the other end of every open call is gone."""
        for request in list(self._under_way):
            self._give_up(request)

    def _latency(self, fault: str) -> float:
        if fault == "slow":
            return self._chance.uniform(1, 20)
        return self._chance.choice((0.0, 0.0001, 0.001, 0.01, 0.2))

    def _give_up(self, request: _Request) -> None:
        if request.over:
            return
        keyed = request.called["effect"] == "keyed"
        if not keyed:
            if self._chance.random() < 0.5:
                self._arrive(request)
            request.over = True
        self._leave(request)

    def _leave(self, request: _Request) -> None:
        if request in self._under_way:
            self._under_way.remove(request)

    def _arrive(self, request: _Request) -> None:
        if request.over:
            return
        request.over = True
        self._passed("arrived")
        applied, absorbed, answer = self._apply(request)
        self._write_down(request, applied=applied, absorbed=absorbed)
        if request.fault == "repeated":
            _, absorbed, _ = self._apply(request)
            self._write_down(request, applied=False, absorbed=absorbed)
        if applied:
            self._passed("applied")
        if request.fault not in ("hung", "lost_reply"):
            request.given = answer
            self._scheduler.after(self._latency(""), self._reply, request)

    def _write_down(self, request: _Request, *, applied: bool, absorbed: bool) -> None:
        entry = Called(order=self._tick(), applied=applied, absorbed=absorbed, **request.called)
        self.log.append(entry)

    def _apply(self, request: _Request) -> tuple[bool, bool, Any]:
        """Whether it took effect now, whether it had before under this key, and the answer."""
        called = request.called
        effect, key = called["effect"], called["key"]
        if request.fault == "permanent" and key in self._by_key:
            request.fault = ""  # who keeps keys says what it said, and not another thing
        if request.fault in ("refused", "hung", "permanent"):
            return False, False, None
        if effect == "keyed" and key in self._by_key:
            return False, True, self._by_key[key]
        answer = self._answer(request)
        place = called["execution"], called["step"]
        if effect == "keyed":
            self._by_key[key] = answer
        if effect not in ("pure", "read"):
            self._done[place] = answer
        if called["step"].endswith(LOOKUP):
            return False, False, self.happened(called["execution"], called["step"].removesuffix(LOOKUP))
        return effect not in ("pure", "read"), False, answer

    def _answer(self, request: _Request) -> Any:
        if request.fault == "misshapen":
            return ["not", "what", "was", "promised"]
        answer = self.given(request.called)
        return answer | {"text": LARGE} if request.fault == "large" else answer

    def given(self, called: dict[str, Any]) -> Any:
        """What an action gives."""
        return {"n": self._chance.randrange(100), "done": called["action"]}

    def _reply(self, request: _Request) -> None:
        self._leave(request)
        future = request.future
        loop = future.get_loop()
        if loop.is_closed():
            return
        self._passed("replied")
        loop.call_soon(_settle, future, request)


def _settle(future: asyncio.Future[Any], request: _Request) -> None:
    if future.done():
        return
    error = _ERRORS.get(request.fault)
    if error is None:
        future.set_result(request.given)
    else:
        future.set_exception(error())


_ERRORS: dict[str, Callable[[], Exception]] = {
    "refused": lambda: TransientError("The other side is busy."),
    "failed_after": lambda: ConnectionError("The connection broke."),
    "permanent": lambda: ActionFailed("The other side says no."),
    "crashed": lambda: RuntimeError("The agent has a bug."),
}
