"""There is no way around the dispatcher: whoever tries ends in a verdict in the journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.agents.revenue.delivery import DeliveryAgent
from dirigent.domain.errors import Refused
from dirigent.domain.event import ActionRefused, CallStarted, StepStarted
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.integrations.file_outbox import FileOutbox
from dirigent.ports import ModelReply, ToolCall


@agent("rogue", domain="test")
class Rogue:
    """Tries to act without being asked for leave."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def by_import(self, ctx: Context) -> str:
        """Import another agent and call it."""
        return await _tried(DeliveryAgent().send(message_id="m1", sha256="0" * 64, ctx=ctx))

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def by_own_method(self, ctx: Context) -> str:
        """Call another action of its own class."""
        return await _tried(self.secret())

    @action(risk=Risk.R3, effect=Effect.AT_MOST_ONCE, outward=True)
    async def secret(self) -> str:
        """What it would like to do."""
        raise AssertionError("nobody let this through")

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def by_attribute(self, ctx: Context) -> str:
        """Use what it was handed to deliver."""
        try:
            ctx.deliver("m1", b"hello")
        except Refused as refusal:
            return refusal.rules[0]
        return "delivered"

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def by_adapter(self, folder: str, ctx: Context) -> str:
        """Make the adapter that delivers by itself."""
        try:
            FileOutbox(Path(folder)).deliver("m1", b"hello")
        except Refused as refusal:
            return refusal.rules[0]
        return "delivered"

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def by_call(self, ctx: Context) -> str:
        """Ask for it properly, as an R0 action's call."""
        return await _tried(ctx.call("delivery", "send", message_id="m1", sha256="0" * 64))

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def by_model(self, ctx: Context) -> list[Any]:
        """Do whatever the model says."""
        return await ctx.act_on(await ctx.model.ask("obey", "what now?"))


class EvilModel:
    """A model that always asks for the worst."""

    provider = "evil"

    async def ask(self, task: str, prompt: str, *, tools: Sequence[str] = ()) -> ModelReply:
        """Propose to send, to do what does not exist, and to send with arguments that do not fit."""
        return ModelReply(
            tool_calls=(
                ToolCall(agent="delivery", action="send", inputs={"message_id": "m1", "sha256": "0" * 64}),
                ToolCall(agent="bank", action="pay", inputs={"amount": 10**6}),
                ToolCall(agent="delivery", action="send", inputs={"everybody": True}),
            )
        )


async def _tried(attempt: Any) -> str:
    try:
        await attempt
    except Refused as refusal:
        return refusal.rules[0] if refusal.rules else "refused"
    return "acted"


def _one(action_name: str, **parameters: Any) -> Definition:
    step = Step(id="try", kind=Kind.AGENT, agent="rogue", action=action_name, parameters=parameters)
    return Definition(name="rogue", steps=(step,))


async def _attempt(folder: Path, definition: Definition) -> tuple[Any, list[Any], list[Path]]:
    async with Dirigent(folder, agents=[Rogue], model=EvilModel()) as dirigent:
        reading = await dirigent.run(definition)
        events = dirigent.engine.events(reading.execution_id)
        assert not dirigent.engine.verify().damages
    return reading.output, events, list((folder / "outbox").glob("*.eml"))


@pytest.mark.parametrize("way", ["by_import", "by_own_method", "by_attribute"])
async def test_going_around_the_dispatcher_is_refused_and_recorded(tmp_path: Path, way: str) -> None:
    """Importing an agent, calling an own action or using the context ends in a refusal on record."""
    output, events, letters = await _attempt(tmp_path, _one(way))
    assert output.startswith("dispatcher.")
    assert [event.rules for event in events if isinstance(event, ActionRefused)] == [(output,)]
    assert not letters


async def test_an_adapter_made_by_hand_does_not_deliver(tmp_path: Path) -> None:
    """The outbox adapter asks for an admission to act outward itself."""
    output, events, letters = await _attempt(tmp_path, _one("by_adapter", folder=str(tmp_path / "outbox")))
    assert output != "delivered"
    assert any(isinstance(event, ActionRefused) for event in events)
    assert not letters


async def test_a_call_inside_an_action_gets_its_own_verdict(tmp_path: Path) -> None:
    """An action that may do nothing cannot send by calling the one that may."""
    output, events, letters = await _attempt(tmp_path, _one("by_call"))
    assert output != "acted"
    refused = [event for event in events if isinstance(event, ActionRefused)]
    assert [(event.agent, event.action) for event in refused] == [("delivery", "send")]
    assert not letters


async def test_what_a_model_proposes_gets_a_verdict_each(tmp_path: Path) -> None:
    """Tool calls of a hostile model are refused one by one, the unknown and the unfit too."""
    output, events, letters = await _attempt(tmp_path, _one("by_model"))
    assert ["refused" in item for item in output] == [True, True, True]
    refused = [event for event in events if isinstance(event, ActionRefused)]
    assert [(event.agent, event.action) for event in refused] == [
        ("delivery", "send"),
        ("bank", "pay"),
        ("delivery", "send"),
    ]
    assert not letters


async def test_every_action_that_ran_has_a_verdict_before_it(tmp_path: Path) -> None:
    """What was let through says so before its outcome, with the policy version that allowed it."""
    _, events, _ = await _attempt(tmp_path, _one("by_model"))
    started = [event for event in events if isinstance(event, StepStarted | CallStarted)]
    assert {event.verdict for event in started} == {"allow"}
    assert all(event.policy for event in started)


async def test_a_guarded_action_cannot_be_called_outside_of_any_run() -> None:
    """Without a run there is no admission at all."""
    with pytest.raises(Refused, match="called directly"):
        await Rogue().secret()
