"""The agents of the campaign: every effect class, done by telling the recorder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from campaigns.crash.evidence import Witnessed
from campaigns.crash.lines import LINE_BYTES_MAX, line, read
from dirigent import Context, Effect, Risk, action, agent
from dirigent.domain.canonical import digest_of
from dirigent.domain.errors import TransientError

AGENT, UNWELL = "outside", "unwell"
COST = 0.01
LATE_SECONDS = 0.1


@agent(AGENT, domain="campaigns", description="Acts on the recorder.", max_concurrency=1000)
class Outside:
    """Acts outside by telling the recorder; `reached` is told how far each effect has come.

    `durable` gives the journal's last durable position. `hasty` is a fault for a negative control: the step
    ends well before anything was done.
    """

    def __init__(
        self, recorder: Path, session: str, reached: Callable[[str], None], *, hasty: bool = False
    ) -> None:
        self.durable: Callable[[], int] = lambda: 0
        self._recorder = recorder
        self._session = session
        self._reached = reached
        self._hasty = hasty
        self._behind: set[asyncio.Task[str]] = set()

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def think(self, what: str) -> int:
        """No effect."""
        return len(what)

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def break_down(self, what: str) -> int:
        """Raise what nobody expects."""
        raise RuntimeError(f"planted: {what}")

    @action(risk=Risk.R1, effect=Effect.KEYED, cost=COST)
    async def keyed(self, what: str, ctx: Context) -> str:
        """The recorder honours the key."""
        return await self._act(Effect.KEYED, "keyed", what, ctx)

    @action(risk=Risk.R1, effect=Effect.QUERYABLE, cost=COST, lookup="find")
    async def queryable(self, what: str, ctx: Context) -> str:
        """The recorder keeps no key, but can be asked."""
        return await self._act(Effect.QUERYABLE, "queryable", what, ctx)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def find(self, what: str) -> str | None:
        """What came of a queryable effect; None where it did not happen."""
        return await look(self._recorder, what)

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE, cost=COST)
    async def once(self, what: str, ctx: Context) -> str:
        """The recorder neither keeps a key nor can be asked by us."""
        return await self._act(Effect.AT_MOST_ONCE, "once", what, ctx)

    @action(risk=Risk.R3, effect=Effect.KEYED, cost=COST)
    async def grave(self, what: str, ctx: Context) -> str:
        """As `keyed`, but a person has to agree first."""
        return await self._act(Effect.KEYED, "grave", what, ctx)

    async def _act(self, effect: Effect, name: str, what: str, ctx: Context) -> str:
        call = Witnessed(
            order=0,
            tenant=ctx.tenant,
            execution=ctx.execution_id,
            step=ctx.step,
            attempt=ctx.attempt,
            agent=AGENT,
            action=name,
            effect=effect.value,
            key=ctx.key,
            payload=digest_of({"agent": AGENT, "action": name, "inputs": {"what": what}}),
            sent=time.monotonic_ns(),
            durable=self.durable(),
            session=self._session,
        )
        if not self._hasty:
            return await self._tell(call, what)
        task = asyncio.ensure_future(self._tell_late(call, what))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)
        return "done, they say"

    async def _tell_late(self, call: Witnessed, what: str) -> str:
        await asyncio.sleep(LATE_SECONDS)
        return await self._tell(call, what)

    async def _tell(self, call: Witnessed, what: str) -> str:
        self._reached("effect.before_call")
        reader, writer = await asyncio.open_unix_connection(self._recorder, limit=LINE_BYTES_MAX)
        try:
            writer.write(line({"do": "act", "call": call, "place": what}))
            await writer.drain()
            self._reached("effect.sent")
            self._reached(f"{call.action}.sent")
            answer: dict[str, Any] | None = await read(reader)
        finally:
            writer.close()
        self._reached("effect.replied")
        if answer is None or "error" in answer:
            raise TransientError("The recorder did not say that it is done.", fix="Try again.")
        return str(answer["result"])


@agent(UNWELL, domain="campaigns", description="Never answers.", max_concurrency=1000)
class Unwell:
    """Fails until it is left alone."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def ask(self, what: str) -> str:
        """Get no answer."""
        raise TransientError(f"No answer to {what}.", fix="Try again.")


async def look(recorder: Path, place: str) -> str | None:
    """Ask the recorder what came of the effect at a place; None where there was none."""
    reader, writer = await asyncio.open_unix_connection(recorder, limit=LINE_BYTES_MAX)
    try:
        writer.write(line({"do": "look", "place": place}))
        answer = await read(reader)
    finally:
        writer.close()
    assert answer is not None, "the recorder is never killed"
    found: str | None = answer["result"]
    return found
