"""Effects that may have happened before a process ended: what the next process makes of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import TransientError
from dirigent.domain.event import CallEnded
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.engine import Start
from dirigent.interpreter.loading import definition_to_dict
from dirigent.interpreter.reading import Reading
from dirigent.settings import Settings


@agent("clerk", domain="test")
class Clerk:
    """Writes into a ledger that can be read back; `stops` says when the process ends while it is at it."""

    def __init__(self, *, stops: str = "", deaf: bool = False) -> None:
        self.stops = stops
        self.deaf = deaf
        self.ledger: list[str] = []
        self.reached = asyncio.Event()

    @action(risk=Risk.R1, effect=Effect.QUERYABLE, lookup="find")
    async def enter(self, what: str, ctx: Context) -> str:
        """Write a line."""
        return await self._write(what)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def find(self, what: str) -> str | None:
        """Look a line up."""
        if self.deaf:
            raise TransientError("no connection")
        return what if what in self.ledger else None

    @action(risk=Risk.R0, effect=Effect.READ)
    async def ask(self, what: str, ctx: Context) -> str | None:
        """Have a line looked up."""
        found: str | None = await ctx.call("clerk", "find", what=what)
        return found

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE)
    async def shout(self, what: str, ctx: Context) -> str:
        """Do what cannot be looked up."""
        return await self._write(what)

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def stamp(self, what: str, ctx: Context) -> str:
        """Do what the other side honours a key for."""
        return await self._write(what)

    async def _write(self, what: str) -> str:
        if self.stops == "before":
            await self._for_ever()
        self.ledger.append(what)
        if self.stops == "after":
            await self._for_ever()
        return what

    async def _for_ever(self) -> None:
        self.reached.set()
        await asyncio.Event().wait()


def _sequence(*acts: str) -> Definition:
    said = {"what": "a line"}
    steps = [Step(id=act, kind=Kind.AGENT, agent="clerk", action=act, parameters=said) for act in acts]
    return Definition(name="clerical", steps=tuple(steps))


async def _interrupted(folder: Path, clerk: Clerk, definition: Definition | None = None) -> None:
    """One life of a process that ends while the action is under way; what had begun before is taken up."""
    async with Dirigent(folder, agents=[clerk]) as dirigent:
        if definition is not None:
            start = Start(definition=definition, tenant="t", actor="a", execution_id="e")
            await dirigent.engine.start(start)
        await clerk.reached.wait()
    clerk.reached.clear()


async def _taken_up(folder: Path, clerk: Clerk, policies: Path | None = None) -> Reading:
    settings = Settings(data_folder=folder, policies=policies)
    async with Dirigent(folder, agents=[clerk], settings=settings) as dirigent:
        return await dirigent.engine.rest("e")


async def test_a_look_up_is_made_anew_after_every_crash(tmp_path: Path) -> None:
    """Ended before the act, then right after it: what the first look saw does not count at the second."""
    clerk = Clerk(stops="before")
    await _interrupted(tmp_path, clerk, _sequence("enter"))
    clerk.stops = "after"
    await _interrupted(tmp_path, clerk)
    clerk.stops = ""
    reading = await _taken_up(tmp_path, clerk)
    assert clerk.ledger == ["a line"]
    assert reading.status == "completed"
    async with Dirigent(tmp_path, agents=[clerk]) as dirigent:
        looks = [event for event in dirigent.engine.events("e") if isinstance(event, CallEnded)]
    assert [look.output for look in looks] == [None, "a line"]


async def test_a_look_up_that_fails_leaves_the_outcome_to_a_person(tmp_path: Path) -> None:
    """The step is parked, nothing is repeated, and other runs are not held up."""
    clerk = Clerk(stops="after", deaf=True)
    await _interrupted(tmp_path, clerk, _sequence("enter"))
    clerk.stops = ""
    async with Dirigent(tmp_path, agents=[clerk]) as dirigent:
        reading = await dirigent.engine.rest("e")
        assert reading.steps["enter"].status == "outcome_unknown"
        assert clerk.ledger == ["a line"]
        assert (await dirigent.run(_sequence("stamp"))).status == "completed"


async def test_a_planned_effect_may_be_looked_up(tmp_path: Path) -> None:
    """A plan that names the effect need not name the action that reads it back."""
    clerk = Clerk(stops="after")
    plan = Step(id="work", kind=Kind.SUBWORKFLOW, workflow="${input.plan}")
    async with Dirigent(tmp_path, agents=[clerk]) as dirigent:
        given = {"plan": definition_to_dict(_sequence("enter"))}
        parent = Definition(name="parent", steps=(plan,))
        start = Start(definition=parent, tenant="t", actor="a", input=given, execution_id="e")
        await dirigent.engine.start(start)
        await clerk.reached.wait()
    clerk.stops = ""
    assert (await _taken_up(tmp_path, clerk)).status == "completed"
    assert clerk.ledger == ["a line"]


async def test_a_plan_lets_only_its_own_effects_be_looked_up(tmp_path: Path) -> None:
    """An action that reads back an effect nobody planned is outside the plan."""
    async with Dirigent(tmp_path, agents=[Clerk()]) as dirigent:
        for acts, status in ((("ask",), "failed"), (("ask", "enter"), "completed")):
            plan = Step(id="work", kind=Kind.SUBWORKFLOW, workflow="${input.plan}")
            given = {"plan": definition_to_dict(_sequence(*acts))}
            reading = await dirigent.run(Definition(name="parent", steps=(plan,)), given)
            assert reading.status == status


NO_MORE = """
policies:
- {id: test.no_more, applies_to: action, when: "action.agent == 'clerk'", effect: block, reason: no more}
"""


async def test_what_may_have_happened_is_not_called_denied(tmp_path: Path) -> None:
    """Rules that say no after the restart do not undo what happened before it: a person has to look."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(NO_MORE, encoding="utf-8")
    for act in ("shout", "stamp"):
        folder, clerk = tmp_path / act, Clerk(stops="after")
        await _interrupted(folder, clerk, _sequence(act))
        clerk.stops = ""
        reading = await _taken_up(folder, clerk, policies=rules)
        assert reading.steps[act].status == "outcome_unknown"
        assert clerk.ledger == ["a line"]
