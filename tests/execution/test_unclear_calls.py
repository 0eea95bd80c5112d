"""Effects that a step's action has others do: the step is done when they are settled, whatever it says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import DirigentError, IllegalTransition
from dirigent.domain.event import CallEnded, CallStarted, StepOutcomeResolved, StepOutcomeUnknown
from dirigent.domain.workflow import Definition, Kind, Retry, Step
from dirigent.engine import Start


@agent("office", domain="test")
class Office:
    """Has letters posted; the postman's answer is lost `losses` times, or never comes."""

    def __init__(self, *, losses: int = 1, hangs: bool = False) -> None:
        self.losses = losses
        self.hangs = hangs
        self.posted: list[str] = []
        self.booked: list[str] = []
        self.reached = asyncio.Event()

    @action(risk=Risk.R0, effect=Effect.READ)
    async def swear(self, what: str, ctx: Context) -> str:
        """Have it posted, and say that it was whatever became of it."""
        try:
            said = await ctx.call("office", "post", what=what)
        except DirigentError:
            said = "surely"
        return f"posted {said}"

    @action(risk=Risk.R0, effect=Effect.READ)
    async def tell(self, what: str, ctx: Context) -> str:
        """Have it posted."""
        return f"posted {await ctx.call('office', 'post', what=what)}"

    @action(risk=Risk.R0, effect=Effect.READ)
    async def enter(self, what: str, ctx: Context) -> str:
        """Have it booked."""
        return f"booked {await ctx.call('office', 'book', what=what)}"

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE)
    async def stamp(self, what: str, ctx: Context) -> str:
        """Have it posted, as part of what must not be done twice."""
        self.booked.append(what)
        return f"posted {await ctx.call('office', 'post', what=what)}"

    @action(risk=Risk.R0, effect=Effect.READ)
    async def chain(self, what: str, ctx: Context) -> str:
        """Have somebody have it posted."""
        return f"told: {await ctx.call('office', 'tell', what=what)}"

    @action(risk=Risk.R0, effect=Effect.READ)
    async def have_stamped(self, what: str, ctx: Context) -> str:
        """Have somebody do what must not be done twice."""
        return f"stamped: {await ctx.call('office', 'stamp', what=what)}"

    @action(risk=Risk.R0, effect=Effect.READ)
    async def both(self, what: str, ctx: Context) -> list[str]:
        """Have two letters posted, and hear of no failure."""
        said = []
        for name in (what, f"another of {what}"):
            try:
                said.append(await ctx.call("office", "post", what=name))
            except DirigentError:
                said.append("surely")
        return said

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE)
    async def post(self, what: str, ctx: Context) -> str:
        """Post a letter."""
        self.posted.append(what)
        await self._answer()
        return what

    @action(risk=Risk.R1, effect=Effect.QUERYABLE, lookup="booking")
    async def book(self, what: str, ctx: Context) -> str:
        """Book it."""
        self.booked.append(what)
        await self._answer()
        return what

    @action(risk=Risk.R0, effect=Effect.READ)
    async def booking(self, what: str) -> str | None:
        """Look a booking up."""
        return what if what in self.booked else None

    async def _answer(self) -> None:
        if self.hangs:
            self.reached.set()
            await asyncio.Event().wait()
        if self.losses:
            self.losses -= 1
            raise ConnectionError("lost")


def _flow(act: str, timeout_ms: int = 0) -> Definition:
    step = Step(
        id="s",
        kind=Kind.AGENT,
        agent="office",
        action=act,
        parameters={"what": "a letter"},
        retry=Retry(max_attempts=3),
        timeout_ms=timeout_ms,
    )
    return Definition(name="office", steps=(step,))


async def _begin(dirigent: Dirigent, definition: Definition) -> None:
    await dirigent.engine.start(Start(definition=definition, tenant="t", actor="a", execution_id="e"))


@pytest.mark.parametrize("act", ["swear", "tell", "chain"])
async def test_a_step_whose_call_is_unclear_is_not_done(tmp_path: Path, act: str) -> None:
    """Whether its action claims success or passes the failure on: it is listed, and nothing is repeated."""
    office = Office()
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        await _begin(dirigent, _flow(act))
        reading = await dirigent.engine.rest("e")
        assert (reading.status, reading.steps["s"].status) == ("running", "outcome_unknown")
        [row] = dirigent.engine.unknown_outcomes()
        assert (row.agent, row.action, row.inputs) == ("office", "post", {"what": "a letter"})
        begun = [event for event in dirigent.engine.events("e") if isinstance(event, CallStarted)]
        assert (row.call, row.key) == (begun[-1].call, begun[-1].key)
        assert row.sent_at >= begun[-1].at
        assert office.posted == ["a letter"]


@pytest.mark.parametrize(("act", "output"), [("swear", "posted it"), ("chain", "told: posted it")])
async def test_what_happened_is_what_the_call_gave(tmp_path: Path, act: str, output: str) -> None:
    """The action runs once more and finds it there; the letter is not posted again."""
    office = Office()
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        await _begin(dirigent, _flow(act))
        await dirigent.engine.rest("e")
        await dirigent.engine.resolve("e", "s", happened=True, actor="b", output="it")
        reading = await dirigent.engine.rest("e")
        assert (reading.status, reading.output, office.posted) == ("completed", output, ["a letter"])
        [row] = dirigent.engine.unknown_outcomes(state=None)
        assert (row.state, row.settled_by) == ("happened", "b")


async def test_what_did_not_happen_is_done_under_the_same_key(tmp_path: Path) -> None:
    """By the person's leave the call is made once more."""
    office = Office()
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        await _begin(dirigent, _flow("tell"))
        await dirigent.engine.rest("e")
        await dirigent.engine.resolve("e", "s", happened=False, actor="b")
        reading = await dirigent.engine.rest("e")
        assert (reading.status, reading.output) == ("completed", "posted a letter")
        begun = [event for event in dirigent.engine.events("e") if isinstance(event, CallStarted)]
        assert (len(begun), len({event.key for event in begun}), len(office.posted)) == (2, 1, 2)


async def test_a_call_under_way_when_the_process_ends_is_listed_by_the_next(tmp_path: Path) -> None:
    """The action is run again, the call is not; it is said with what it was asked."""
    office = Office(hangs=True)
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        await _begin(dirigent, _flow("swear"))
        await office.reached.wait()
    office.hangs = False
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        assert (await dirigent.engine.rest("e")).steps["s"].status == "outcome_unknown"
        [row] = dirigent.engine.unknown_outcomes()
        assert (row.call, row.inputs, office.posted) == ("s/1", {"what": "a letter"}, ["a letter"])
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        await dirigent.engine.resolve("e", "s", happened=True, actor="b", output="it")
        assert (await dirigent.engine.rest("e")).output == "posted it"
        assert not dirigent.engine.verify().damages


async def test_a_call_that_runs_out_of_its_callers_time_is_listed(tmp_path: Path) -> None:
    """Nobody knows how far it had come."""
    office = Office(hangs=True)
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        await _begin(dirigent, _flow("tell", timeout_ms=20))
        assert (await dirigent.engine.rest("e")).steps["s"].status == "outcome_unknown"
        assert [row.call for row in dirigent.engine.unknown_outcomes()] == ["s/1"]
        office.hangs = False


@pytest.mark.parametrize("crash", [False, True])
async def test_a_call_that_can_be_read_back_is_looked_at_first(tmp_path: Path, crash: bool) -> None:
    """After a lost answer and after a crash alike it is found, and nobody is asked."""
    office = Office(hangs=crash)
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        await _begin(dirigent, _flow("enter"))
        await (office.reached.wait() if crash else dirigent.engine.rest("e"))
    office.hangs, office.losses = False, 0
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        if crash:
            await dirigent.engine.rest("e")
        reading = dirigent.engine.read("e")
        assert (reading.status, reading.output) == ("completed", "booked a letter")
        assert office.booked == ["a letter"]
        events = dirigent.engine.events("e")
        looked = [event for event in events if isinstance(event, CallEnded) and "lookup" in event.call]
        assert [event.call for event in looked] == ["s/1/lookup"]


async def test_what_must_not_run_twice_is_unclear_as_a_whole(tmp_path: Path) -> None:
    """The person's word is about the step, since its action is never run again."""
    office = Office()
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        await _begin(dirigent, _flow("stamp"))
        await dirigent.engine.rest("e")
        [row] = dirigent.engine.unknown_outcomes()
        assert (row.action, row.call) == ("stamp", "")
        await dirigent.engine.resolve("e", "s", happened=True, actor="b", output="done")
        assert (await dirigent.engine.rest("e")).output == "done"
        assert office.booked == ["a letter"]


async def test_a_call_that_must_not_run_twice_is_unclear_with_what_it_called(tmp_path: Path) -> None:
    """It is the one that is listed; once its end is told, neither of them is done again."""
    office = Office()
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        await _begin(dirigent, _flow("have_stamped"))
        await dirigent.engine.rest("e")
        assert [(row.action, row.call) for row in dirigent.engine.unknown_outcomes()] == [("stamp", "s/1")]
        await dirigent.engine.resolve("e", "s", happened=True, actor="b", output="it")
        assert (await dirigent.engine.rest("e")).output == "stamped: it"
        assert (office.booked, office.posted) == (["a letter"], ["a letter"])


async def test_two_unclear_calls_are_asked_about_one_after_the_other(tmp_path: Path) -> None:
    """The step is done when both are settled; each is listed with what it was asked."""
    office = Office(losses=2)
    async with Dirigent(tmp_path, agents=[office]) as dirigent:
        await _begin(dirigent, _flow("both"))
        for what, call in (("a letter", "s/1"), ("another of a letter", "s/2")):
            await dirigent.engine.rest("e")
            [row] = dirigent.engine.unknown_outcomes()
            assert (row.call, row.inputs) == (call, {"what": what})
            await dirigent.engine.resolve("e", "s", happened=True, actor="b", output=call)
        assert (await dirigent.engine.rest("e")).output == ["s/1", "s/2"]
        assert len(office.posted) == 2


async def test_a_word_about_something_else_is_refused(tmp_path: Path) -> None:
    """What is said has to name the call of which it is not known."""
    async with Dirigent(tmp_path, agents=[Office()]) as dirigent:
        await _begin(dirigent, _flow("tell"))
        await dirigent.engine.rest("e")
        word = StepOutcomeResolved(at=1, step="s", attempt=1, happened=True, actor="b")
        with pytest.raises(IllegalTransition, match="the call 's/1'"):
            await dirigent.engine.runtime.deliver("e", word)
        unknown = [event for event in dirigent.engine.events("e") if isinstance(event, StepOutcomeUnknown)]
        assert [event.call for event in unknown] == ["s/1"]
