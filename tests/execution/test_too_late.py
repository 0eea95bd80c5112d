"""Words that come too late, or a second time, decide nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import Conflict
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.engine import Start
from dirigent.testing.frozen_clock import FrozenClock

MINUTE_MS = 60_000


class DeafClock(FrozenClock):
    """Time goes on, and no alarm has gone off yet."""

    def call_at(self, due_ms: int, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


@agent("gambler", domain="test")
class Gambler:
    """Its connection breaks whenever it has acted."""

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE)
    async def bet(self, ctx: Context) -> None:
        """Act, and hear nothing."""
        raise ConnectionError("no answer")


@pytest.mark.parametrize("word", ["approve", "reject"])
async def test_an_approval_is_not_decided_after_its_time(tmp_path: Path, word: str) -> None:
    """Also where nobody has noticed yet that the time has passed."""
    clock = DeafClock()
    flow = Definition(name="ask", steps=(Step(id="person", kind=Kind.APPROVAL, timeout_ms=MINUTE_MS),))
    async with Dirigent(tmp_path, clock=clock) as dirigent:
        await dirigent.engine.start(Start(definition=flow, tenant="t", actor="a", execution_id="e"))
        await dirigent.engine.rest("e")
        [approval] = dirigent.engine.approvals(execution="e")
        clock.move(MINUTE_MS + 1)
        with pytest.raises(Conflict, match="time to decide"):
            await getattr(dirigent.engine, word)(approval.approval_id, actor="b")
        assert dirigent.engine.approval(approval.approval_id).state == "open"


async def test_what_was_said_of_one_attempt_is_not_said_of_the_next(tmp_path: Path) -> None:
    """An answer that is sent again finds another attempt of unknown outcome and leaves it alone."""
    flow = Definition(name="bet", steps=(Step(id="bet", kind=Kind.AGENT, agent="gambler", action="bet"),))
    async with Dirigent(tmp_path, agents=[Gambler]) as dirigent:
        engine = dirigent.engine
        await engine.start(Start(definition=flow, tenant="t", actor="a", execution_id="e"))
        await engine.rest("e")
        await engine.resolve("e", "bet", happened=False, actor="b", attempt=1)
        await engine.rest("e")
        with pytest.raises(Conflict, match="Attempt 1"):
            await engine.resolve("e", "bet", happened=False, actor="b", attempt=1)
        assert engine.read("e").steps["bet"].status == "outcome_unknown"
        await engine.resolve("e", "bet", happened=True, actor="b", attempt=2)
        assert (await engine.rest("e")).status == "completed"
