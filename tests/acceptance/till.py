"""A till outside Dirigent: it remembers every call that reached it, whatever the journal says."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from dirigent import Context, Effect, Risk, action, agent
from dirigent.domain.errors import ActionFailed, TransientError


class Call(NamedTuple):
    """One call: under which key, for which execution and step, what it asked for, and with what receipt."""

    key: str
    execution: str
    step: str
    what: str
    receipt: str


@dataclass
class Recorder:
    """The receiver. It acts once per key, and can be told to fail or to hold on."""

    calls: list[Call] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)

    async def take(self, ctx: Context, what: str, receipt: str = "") -> str:
        """Be asked for something; the answer is a receipt."""
        self.calls.append(Call(ctx.key, ctx.execution_id, ctx.step, what, receipt))
        if gate := self.gates.get(what):
            await gate.wait()
        if what in self.refused:
            raise ActionFailed(f"{what}: no")
        if self.broken[what]:
            self.broken[what] -= 1
            raise TransientError(f"{what}: not now")
        return ctx.key

    @property
    def done(self) -> list[str]:
        """What was really done, in order: repetitions under one key count once."""
        return [call.what for call in {call.key: call for call in reversed(self.calls)}.values()][::-1]

    def of(self, execution: str) -> list[str]:
        """What was done for one execution."""
        keys = {call.key: call for call in reversed(self.calls) if call.execution == execution}
        return [call.what for call in keys.values()][::-1]


@agent("till", domain="test")
class Till:
    """Takes money and gives it back."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def charge(self, what: str, ctx: Context) -> dict[str, str]:
        """Take something."""
        return {"what": what, "receipt": await self._recorder.take(ctx, what)}

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def refund(self, what: str, ctx: Context, receipt: str = "") -> str:
        """Give it back."""
        return await self._recorder.take(ctx, f"refund {what}", receipt)

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE)
    async def risky(self, what: str, ctx: Context) -> str:
        """An act that must not be repeated."""
        return await self._recorder.take(ctx, what)

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def refuse(self, ctx: Context) -> None:
        """Say no."""
        raise ActionFailed("The till is closed.")


async def until(condition: object) -> None:
    """Let the loop turn until something holds."""
    while not condition():  # type: ignore[operator]
        await asyncio.sleep(0)
