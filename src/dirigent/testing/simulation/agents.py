"""The agents of simulated workflows: one action of every effect class, each of which calls the receiver."""

from __future__ import annotations

from typing import Any

from dirigent.domain.agent import Effect, Risk
from dirigent.domain.policy import Decision, Finding, Subject, Verdict, strictest
from dirigent.execution.registry import Registry
from dirigent.ports import Context
from dirigent.security.admission import action, agent
from dirigent.testing.simulation.receiver import Receiver

COST = 1.0


class Line:
    """What connects the agents of this process with the receiver of the run that is simulated now."""

    receiver: Receiver


async def _call(ctx: Context, key: str, name: str, effect: Effect, item: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await Line.receiver.call(ctx, key, name, effect.value, {"item": item})
    return answer


@agent("outside", domain="simulation", max_concurrency=8)
class Outside:
    """Acts outside, in every way in which one can."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def think(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Compute."""
        return await _call(ctx, "outside", "think", Effect.PURE, item)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def look(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Read something."""
        return await _call(ctx, "outside", "look", Effect.READ, item)

    @action(risk=Risk.R1, effect=Effect.KEYED, cost=COST)
    async def send(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Act where keys are honoured."""
        return await _call(ctx, "outside", "send", Effect.KEYED, item)

    @action(risk=Risk.R1, effect=Effect.QUERYABLE, cost=COST, lookup="seen")
    async def book(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Act where one can look whether it happened."""
        return await _call(ctx, "outside", "book", Effect.QUERYABLE, item)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def seen(self, item: Any, ctx: Context) -> dict[str, Any] | None:
        """Look whether `book` happened."""
        return await _call(ctx, "outside", "seen", Effect.READ, item)

    @action(risk=Risk.R1, cost=COST)
    async def fire(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Act where nothing is known of repetitions."""
        return await _call(ctx, "outside", "fire", Effect.AT_MOST_ONCE, item)

    @action(risk=Risk.R3, effect=Effect.KEYED, cost=COST)
    async def dare(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Act where a person has to agree below a certain level."""
        return await _call(ctx, "outside", "dare", Effect.KEYED, item)

    @action(risk=Risk.R2, effect=Effect.KEYED, outward=True)
    async def tell(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Leave the house, if that is allowed."""
        return await _call(ctx, "outside", "tell", Effect.KEYED, item)

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def sin(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Do what the policy denies."""
        return await _call(ctx, "outside", "sin", Effect.KEYED, item)

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def beg(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Do what the policy lets a person decide."""
        return await _call(ctx, "outside", "beg", Effect.KEYED, item)


@agent("narrow", domain="simulation", max_concurrency=1)
class Narrow:
    """Does one thing at a time, and lets others work for it."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def queue(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Read something, after all who came earlier."""
        return await _call(ctx, "narrow", "queue", Effect.READ, item)

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def post(self, item: Any, ctx: Context) -> dict[str, Any]:
        """Act where keys are honoured, after all who came earlier."""
        return await _call(ctx, "narrow", "post", Effect.KEYED, item)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def delegate(self, item: Any, ctx: Context) -> list[Any]:
        """Have two others act, one after the other, and read something at last."""
        done = [await ctx.call("outside", "send", item=item), await ctx.call("outside", "fire", item=item)]
        return [*done, await _call(ctx, "narrow", "delegate", Effect.READ, item)]


class Rules:
    """The policies of the simulation: `sin` is denied, `beg` is for a person to decide."""

    version = "simulated"

    def decide(self, subject: Subject) -> Decision:
        """The verdict on an action."""
        name = subject.facts.get("action")
        if name == "sin":
            return _spoken("simulated.sin", Verdict.DENY)
        if name == "beg":
            return _spoken("simulated.beg", Verdict.REQUIRE_APPROVAL)
        return strictest((), self.version)


def simulated_agents() -> Registry:
    """A registry of them; one serves every run of a process."""
    return Registry([Outside, Narrow])


def _spoken(rule: str, verdict: Verdict) -> Decision:
    return strictest((Finding(rule=rule, verdict=verdict, reason=rule),), Rules.version)
