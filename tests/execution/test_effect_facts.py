"""What a real engine puts on record about an effect: announced, sent, acknowledged, seen, settled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import Conflict, InvalidInput
from dirigent.domain.event import (
    EffectAcknowledged,
    OutcomeObserved,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepStarted,
)
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.engine import Start
from dirigent.testing.frozen_clock import FrozenClock

LOOK_MS = 5_000


@agent("bank", domain="test")
class Bank:
    """Takes orders under numbers of its own; its answer is lost while `drops` is on."""

    def __init__(self, *, drops: bool = True) -> None:
        self.drops = drops
        self.orders: dict[str, int] = {}
        self.asked: list[str] = []

    @action(risk=Risk.R1, effect=Effect.QUERYABLE, lookup="order")
    async def pay(self, amount: int, ctx: Context) -> dict[str, Any]:
        """Take an order; the number is known before its end."""
        number = f"no. {len(self.orders) + 1}"
        self.orders[number] = amount
        ctx.acknowledge(number)
        return self._answer(amount)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def order(self, amount: int, ctx: Context) -> dict[str, Any] | None:
        """Look an order up by the number that it got."""
        self.asked.append(ctx.reference)
        found = self.orders.get(ctx.reference)
        return {"paid": found} if found is not None else None

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def note(self, amount: int, ctx: Context) -> dict[str, Any]:
        """Act under a key."""
        return {"paid": amount}

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE)
    async def shout(self, amount: int, ctx: Context) -> dict[str, Any]:
        """Do what cannot be looked up."""
        return self._answer(amount)

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def add(self, amount: int, ctx: Context) -> int:
        """Compute; there is nothing to acknowledge."""
        ctx.acknowledge("nothing")
        return amount + 1

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def babble(self, amount: int, ctx: Context) -> int:
        """Give what is no reference."""
        ctx.acknowledge("a\nb" * amount)
        return amount

    def _answer(self, amount: int) -> dict[str, Any]:
        if self.drops:
            raise ConnectionError("no answer")
        return {"paid": amount}


def _flow(act: str) -> Definition:
    step = Step(id="s", kind=Kind.AGENT, agent="bank", action=act, parameters={"amount": 7})
    return Definition(name="bank", steps=(step,))


async def _started(dirigent: Dirigent, act: str) -> None:
    await dirigent.engine.start(Start(definition=_flow(act), tenant="t", actor="a", execution_id="e"))
    await dirigent.engine.rest("e")


def _kinds(dirigent: Dirigent) -> list[str]:
    return [type(event).__name__ for event in dirigent.engine.events("e")]


async def test_what_is_acknowledged_and_not_settled_is_listed_and_read_back(tmp_path: Path) -> None:
    """What was sent, when, under which key and number; five seconds later it is found by that number."""
    clock, bank = FrozenClock(), Bank()
    async with Dirigent(tmp_path, agents=[bank], clock=clock) as dirigent:
        await _started(dirigent, "pay")
        [row] = dirigent.engine.unknown_outcomes()
        assert (row.agent, row.action, row.inputs) == ("bank", "pay", {"amount": 7})
        assert (row.reference, row.sent_at, row.lookup) == ("no. 1", clock.now_ms(), True)
        [intent] = [event for event in dirigent.engine.events("e") if isinstance(event, StepStarted)]
        assert (row.key, row.payload_hash) == (intent.key, intent.payload)
        clock.move(LOOK_MS)
        assert (await dirigent.engine.rest("e")).output == {"paid": 7}
        assert (bank.asked, len(bank.orders)) == (["no. 1"], 1)
        assert dirigent.engine.unknown_outcomes() == []
        [row] = dirigent.engine.unknown_outcomes(state=None)
        assert (row.state, row.settled_by, row.looks) == ("happened", "read_back", 1)
        kinds = [kind for kind in _kinds(dirigent) if "Effect" in kind or "Outcome" in kind]
        assert kinds == [
            "EffectAcknowledged",
            "StepOutcomeUnknown",
            "OutcomeObserved",
            "StepOutcomeResolved",
        ]


async def test_an_unclear_effect_is_still_listed_and_looked_at_after_a_restart(tmp_path: Path) -> None:
    """The next process knows the number that the receiver gave, and when to look."""
    clock, bank = FrozenClock(), Bank()
    async with Dirigent(tmp_path, agents=[bank], clock=clock) as dirigent:
        await _started(dirigent, "pay")
    async with Dirigent(tmp_path, agents=[bank], clock=clock) as dirigent:
        [row] = dirigent.engine.unknown_outcomes("t", execution="e")
        assert row.reference == "no. 1"
        clock.move(LOOK_MS)
        assert (await dirigent.engine.rest("e")).status == "completed"
        assert len(bank.orders) == 1


async def test_a_person_has_it_read_back_at_once(tmp_path: Path) -> None:
    """Without waiting for the next look; what is settled cannot be read back once more."""
    bank = Bank()
    async with Dirigent(tmp_path, agents=[bank], clock=FrozenClock()) as dirigent:
        await _started(dirigent, "pay")
        await dirigent.engine.read_back("e", "s", actor="b")
        assert (await dirigent.engine.rest("e")).status == "completed"
        with pytest.raises(InvalidInput, match="does not wait"):
            await dirigent.engine.read_back("e", "s", actor="b")


async def test_what_cannot_be_read_back_waits_for_a_word(tmp_path: Path) -> None:
    """The refusal says what to do; the word settles it, with the output that the person gave."""
    clock = FrozenClock()
    async with Dirigent(tmp_path, agents=[Bank()], clock=clock) as dirigent:
        await _started(dirigent, "shout")
        with pytest.raises(Conflict, match=r"bank\.shout cannot be read back") as refused:
            await dirigent.engine.read_back("e", "s", actor="b")
        assert "say what happened" in refused.value.fix
        clock.move(10 * LOOK_MS)
        assert (await dirigent.engine.rest("e")).steps["s"].status == "outcome_unknown"
        await dirigent.engine.resolve("e", "s", happened=True, actor="b", output={"paid": 7})
        assert (await dirigent.engine.rest("e")).output == {"paid": 7}
        [row] = dirigent.engine.unknown_outcomes(state="happened")
        assert (row.settled_by, row.settled_at) == ("b", clock.now_ms())


async def test_an_execution_that_is_ended_leaves_its_unclear_effects_behind(tmp_path: Path) -> None:
    """Nobody is asked any more, and the list of all says that it was left."""
    async with Dirigent(tmp_path, agents=[Bank()], clock=FrozenClock()) as dirigent:
        await _started(dirigent, "shout")
        await dirigent.engine.cancel("e", "b")
        assert dirigent.engine.unknown_outcomes() == []
        assert [row.state for row in dirigent.engine.unknown_outcomes(state=None)] == ["left"]


async def test_that_an_effect_was_sent_stands_beside_its_end(tmp_path: Path) -> None:
    """In the same event, so it costs no write of its own; what computes sends nothing."""
    clock = FrozenClock()
    async with Dirigent(tmp_path, agents=[Bank()], clock=clock) as dirigent:
        for act, sent_at in (("note", clock.now_ms()), ("add", 0)):
            reading = await dirigent.run(_flow(act))
            events = dirigent.engine.events(reading.execution_id)
            [done] = [event for event in events if isinstance(event, StepCompleted)]
            assert done.sent_at == sent_at
            assert not any(isinstance(event, EffectAcknowledged) for event in events)


async def test_what_is_no_reference_is_an_error_of_the_action(tmp_path: Path) -> None:
    """It never stands in the journal."""
    async with Dirigent(tmp_path, agents=[Bank()], clock=FrozenClock()) as dirigent:
        reading = await dirigent.run(_flow("babble"))
        events = dirigent.engine.events(reading.execution_id)
        [failed] = [event for event in events if isinstance(event, StepFailed)]
        assert "is no reference" in failed.error.message
        assert failed.sent_at > 0
        assert not any(isinstance(event, EffectAcknowledged) for event in events)


async def test_a_look_that_sees_nothing_is_on_record_and_settles_nothing(tmp_path: Path) -> None:
    """After three looks it waits for a person; the effect was never tried again."""
    clock, bank = FrozenClock(), Bank()
    async with Dirigent(tmp_path, agents=[bank], clock=clock) as dirigent:
        await _started(dirigent, "pay")
        bank.orders.clear()
        for _ in range(4):
            clock.move(20 * LOOK_MS)
            await dirigent.engine.rest("e")
        [row] = dirigent.engine.unknown_outcomes()
        assert (row.looks, row.state, len(bank.orders)) == (3, "open", 0)
        events = dirigent.engine.events("e")
        assert [event.found for event in events if isinstance(event, OutcomeObserved)] == [False] * 3
        assert not any(isinstance(event, StepOutcomeResolved) for event in events)
