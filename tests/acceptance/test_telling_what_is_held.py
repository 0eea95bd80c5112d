"""An action may tell itself what is held: while nothing may leave it runs, and finds every way out shut."""

from __future__ import annotations

from pathlib import Path

import pytest

from dirigent import Autonomy, Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import Refused
from dirigent.domain.event import ActionRefused, StepStarted
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.intake.envelopes import envelope_of_run
from dirigent.integrations.file_outbox import FileOutbox
from dirigent.ports import WebRequest
from dirigent.settings import Config, Settings
from dirigent.testing.invariants import check


@agent("press", domain="test")
class Press:
    """Prints, or says why not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @action(risk=Risk.R3, effect=Effect.KEYED, outward=True, tells_held=True)
    async def run_off(self, ctx: Context) -> str:
        """Deliver, unless it is held."""
        if ctx.held:
            return f"held: {ctx.held}"
        ctx.deliver("paper", b"news")
        return "printed"

    @action(risk=Risk.R3, effect=Effect.KEYED, outward=True, tells_held=True)
    async def sneak(self, ctx: Context) -> list[str]:
        """Pass over that it is held, by every way there is."""
        tried = []
        for name in ("deliver", "adapter", "web", "call"):
            try:
                await self._out(name, ctx)
                tried.append("out")
            except Refused as refusal:
                tried.append(refusal.rules[0] if refusal.rules else "refused")
        return tried

    @action(risk=Risk.R3, effect=Effect.KEYED, outward=True)
    async def other(self, ctx: Context) -> str:
        """An outward action that does not tell itself what is held."""
        ctx.deliver("paper", b"news")
        return "printed"

    async def _out(self, name: str, ctx: Context) -> None:
        if name == "deliver":
            ctx.deliver("paper", b"news")
        elif name == "adapter":
            FileOutbox(self.folder / "outbox").deliver("paper", b"news")
        elif name == "web":
            await ctx.web(WebRequest(method="POST", url="https://1.1.1.1/", headers={}))
        else:
            await ctx.call("press", "other")


def _one(action_name: str) -> Definition:
    step = Step(id="print", kind=Kind.AGENT, agent="press", action=action_name)
    return Definition(name="press", steps=(step,))


def _open(folder: Path, *, delivery: bool) -> Dirigent:
    config = Config(maxAutonomyPerOrg={"default": Autonomy.L3})
    settings = Settings(data_folder=folder, allow_delivery=delivery, config=config)
    return Dirigent(settings=settings, agents=[Press(folder)])


@pytest.mark.parametrize("level", [Autonomy.L1, Autonomy.L3])
async def test_while_nothing_may_leave_it_says_so(tmp_path: Path, level: Autonomy) -> None:
    """Nobody is asked, for nothing can happen; journal and envelope say that it was held."""
    async with _open(tmp_path, delivery=False) as dirigent:
        reading = await dirigent.run(_one("run_off"), autonomy=level)
        events = dirigent.engine.events(reading.execution_id)
        report = check(list(dirigent.journal.tail(0, 1_000)), [], [])
        assert not dirigent.engine.approvals()
    envelope = envelope_of_run(reading, tenant="default", created_ms=0)
    assert envelope.metadata["status"] == "held"
    assert report.sound, report.violations
    assert (reading.status, reading.output) == ("completed", "held: allow_delivery is off")
    assert [event.verdict for event in events if isinstance(event, StepStarted)] == ["hold"]
    assert not (tmp_path / "outbox").exists()


async def test_every_way_out_is_shut(tmp_path: Path) -> None:
    """An action that does not ask whether it is held is refused at the outbox, the web and by its calls."""
    async with _open(tmp_path, delivery=False) as dirigent:
        reading = await dirigent.run(_one("sneak"), autonomy=Autonomy.L3)
        events = dirigent.engine.events(reading.execution_id)
    assert reading.output[:3] == ["dispatcher.held"] * 3
    assert reading.output[3] != "out"
    assert len([event for event in events if isinstance(event, ActionRefused)]) == 4
    assert not (tmp_path / "outbox").exists()


async def test_at_level_0_it_is_only_simulated(tmp_path: Path) -> None:
    """Delivery on or off: nothing runs."""
    async with _open(tmp_path, delivery=False) as dirigent:
        reading = await dirigent.run(_one("run_off"), autonomy=Autonomy.L0)
    assert reading.output == {"simulated": True, "would": "press.run_off"}


async def test_with_delivery_it_is_an_action_like_any_other(tmp_path: Path) -> None:
    """At L1 a person is asked; then it leaves, once."""
    async with _open(tmp_path, delivery=True) as dirigent:
        asks = await dirigent.run(_one("run_off"), autonomy=Autonomy.L1)
        assert asks.status == "awaiting_approval"
        [asked] = dirigent.engine.approvals()
        await dirigent.engine.approve(asked.approval_id, "boss")
        reading = await dirigent.engine.rest(asks.execution_id)
    assert reading.output == "printed"
    assert (tmp_path / "outbox" / "paper.eml").read_bytes() == b"news"
