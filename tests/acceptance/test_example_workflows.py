"""The business workflows among the examples, each led through its ways by a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent
from dirigent.interpreter.reading import Reading
from dirigent.ports import WebReply, WebRequest
from dirigent.settings import Settings
from dirigent.testing.frozen_clock import FrozenClock
from tests.acceptance.till import until

EXAMPLES = Path(__file__).parents[2] / "examples" / "workflows"
DAY_MS = 86_400_000


class Bank:
    """The other side of the refunds."""

    def __init__(self) -> None:
        self.asked: list[WebRequest] = []

    async def send(self, request: WebRequest) -> WebReply:
        """Pay, and say under which number."""
        self.asked.append(request)
        body = json.dumps({"number": f"N{len(self.asked)}"}).encode()
        return WebReply(status=201, headers={"content-type": "application/json"}, body=body)


@pytest.fixture
def clock() -> FrozenClock:
    """Stands still."""
    return FrozenClock()


@pytest.fixture
def bank() -> Bank:
    """Nothing is paid yet."""
    return Bank()


@pytest.fixture
async def dirigent(tmp_path: Path, clock: FrozenClock, bank: Bank) -> AsyncIterator[Dirigent]:
    """Knows no environment variable; delivery is on."""
    settings = Settings(data_folder=tmp_path, allow_delivery=True, actor="ann")
    async with Dirigent(settings=settings, clock=clock, web=bank) as opened:
        yield opened


class Run:
    """A run of an example, begun and looked at; it may wait for a time as long as it likes."""

    def __init__(self, dirigent: Dirigent, execution_id: str) -> None:
        self._dirigent = dirigent
        self.id = execution_id

    @property
    def now(self) -> Reading:
        """How it stands."""
        return self._dirigent.engine.read(self.id)

    async def comes_to(self, condition: Callable[[Reading], object]) -> Reading:
        """Wait until something holds of it."""
        await until(lambda: condition(self.now))
        return self.now

    async def waits_for(self, *steps: str) -> Reading:
        """Wait until these steps wait."""
        return await self.comes_to(lambda now: all(_waits(now, step) for step in steps))

    async def ended(self) -> Reading:
        """Wait for its end."""
        return await self.comes_to(lambda now: now.ended_at)


def _waits(reading: Reading, step: str) -> bool:
    return step in reading.steps and reading.steps[step].status == "waiting"


async def begin(dirigent: Dirigent, name: str, /, **data: Any) -> Run:
    """Store an example and start it."""
    await dirigent.library.save((EXAMPLES / f"{name}.yaml").read_text(), tenant="default", actor="ann")
    return Run(dirigent, await dirigent.start_stored(name, data))


async def publish(dirigent: Dirigent, type: str, **data: Any) -> None:
    """Something happened."""
    await dirigent.publish({"type": type, "source": "test", "data": data})


async def approve(dirigent: Dirigent, run: Run, *people: str) -> None:
    """These people agree to the one thing that is asked."""
    await run.comes_to(lambda _: dirigent.engine.approvals(execution=run.id))
    [asked] = dirigent.engine.approvals(execution=run.id)
    for person in people:
        await dirigent.engine.approve(asked.approval_id, person)


async def test_a_small_refund_asks_nobody_but_the_gate(dirigent: Dirigent, bank: Bank) -> None:
    """It leaves the house, so one person looks at it; there is no vote of two."""
    run = await begin(dirigent, "refund", order="A1", customer="Ada", amount=20)
    await approve(dirigent, run, "ben")
    ended = await run.ended()
    assert (ended.status, ended.output) == ("completed", {"number": "N1"})
    assert ended.steps["agree"].status == "skipped"
    assert [json.loads(asked.body or b"{}") for asked in bank.asked] == [{"order": "A1", "amount": 20}]


async def test_a_large_refund_needs_two_of_three(dirigent: Dirigent, bank: Bank) -> None:
    """Whoever started it has no say; nothing is paid before the second has agreed."""
    run = await begin(dirigent, "refund", order="A2", customer="Bob", amount=250)
    await approve(dirigent, run, "ben")
    assert not bank.asked
    await approve(dirigent, run, "cleo")
    await approve(dirigent, run, "ben")
    assert (await run.ended()).status == "completed"
    assert len(bank.asked) == 1


async def test_a_colleague_comes(dirigent: Dirigent, clock: FrozenClock) -> None:
    """Things and contract come in any order; then the run waits for the day."""
    starts_at = "2023-12-01T09:00:00Z"
    run = await begin(dirigent, "onboarding", name="Bo", starts_at=starts_at, equipment=["laptop", "phone"])
    await run.waits_for("contract", "desk[0].ordered", "desk[1].ordered")
    await publish(dirigent, "item.ordered", item="phone")
    await publish(dirigent, "contract.signed", name="Bo")
    await publish(dirigent, "item.ordered", item="laptop")
    waiting = await run.waits_for("first_day")
    assert waiting.steps["first_day"].reason == "until 2023-12-01T09:00:00.000Z"
    clock.move(60 * DAY_MS)
    ended = await run.ended()
    assert (ended.status, ended.output) == ("completed", {"items": 2})


@pytest.mark.parametrize("reminders", [1, 2, 3])
async def test_an_invoice_is_paid_after_so_many_reminders(
    dirigent: Dirigent, clock: FrozenClock, reminders: int
) -> None:
    """Each reminder waits two weeks."""
    run = await begin(dirigent, "dunning", invoice="R7")
    for number in range(reminders - 1):
        await run.waits_for(f"remind[{number}].paid")
        clock.move(14 * DAY_MS)
    await run.waits_for(f"remind[{reminders - 1}].paid")
    await publish(dirigent, "invoice.paid", invoice="R8")
    await publish(dirigent, "invoice.paid", invoice="R7")
    ended = await run.ended()
    assert (ended.status, ended.output) == ("completed", {"paid": True, "reminders": reminders})


async def test_an_invoice_is_never_paid(dirigent: Dirigent, clock: FrozenClock) -> None:
    """After the third reminder a person decides."""
    run = await begin(dirigent, "dunning", invoice="R7")
    for number in range(3):
        await run.waits_for(f"remind[{number}].paid")
        clock.move(14 * DAY_MS)
    await approve(dirigent, run, "ben")
    ended = await run.ended()
    assert (ended.status, ended.output) == ("completed", {"paid": False, "reminders": 3})


@pytest.mark.parametrize(("urgency", "to"), [("high", "hotline"), ("normal", "desk"), ("low", "later")])
async def test_a_ticket_is_answered(dirigent: Dirigent, urgency: str, to: str) -> None:
    """It goes to whom it concerns, and no help is called."""
    run = await begin(dirigent, "support_ticket", id="T1", urgency=urgency, text="Help")
    await run.waits_for("answered")
    await publish(dirigent, "ticket.answered", id="T1")
    ended = await run.ended()
    assert (ended.status, ended.output) == ("completed", {"routed_to": to, "answered": True})
    assert ended.steps["escalate"].status == "skipped"


async def test_nobody_answers_a_ticket(dirigent: Dirigent, clock: FrozenClock) -> None:
    """Opened by an event; after a day help is called."""
    dirigent.arm(EXAMPLES / "support_ticket.yaml")
    reaction = await dirigent.publish(
        {"type": "ticket.opened", "source": "desk", "data": {"id": "T2", "urgency": "high", "text": "Fire"}}
    )
    run = Run(dirigent, reaction.triggered[0])
    await run.waits_for("answered")
    clock.move(DAY_MS)
    ended = await run.ended()
    assert (ended.status, ended.output) == ("completed", {"routed_to": "hotline", "answered": False})
    assert ended.steps["escalate"].status == "succeeded"


LAUNCH = {"brand_id": "b-1", "content_topic": "New Product Launch"}
SOCIAL = {**LAUNCH, "day": "2023-12-01", "timezone": "Europe/Rome"}
POOR = {"terms": ["single origin"], "banned_terms": ["cheap"], "key_messages": ["Our cheap beans are here"]}


async def test_posts_go_out_at_their_times(dirigent: Dirigent, clock: FrozenClock, tmp_path: Path) -> None:
    """At nine, one and five in Rome; each post waits for its time and for a person, and leaves once."""
    run = await begin(dirigent, "social_posts", **SOCIAL)
    waiting = await run.waits_for("each[0].time", "each[1].time", "each[2].time")
    planned = [one["at"] for one in waiting.steps["plan"].output["confirmations"]]
    assert planned == ["2023-12-01T08:00:00Z", "2023-12-01T12:00:00Z", "2023-12-01T16:00:00Z"]
    assert waiting.steps["improve"].status == "skipped"
    texts = [post["text"] for post in waiting.steps["write"].output["content"]]
    for number, at in enumerate(planned):
        clock.move(round(datetime.fromisoformat(at).timestamp() * 1000) - 1 - clock.now_ms())
        assert _posts(tmp_path) == number
        clock.move(1)
        await run.comes_to(lambda _: dirigent.engine.approvals(execution=run.id))
        [asked] = dirigent.engine.approvals(execution=run.id)
        assert asked.preview["texts"] == [texts[number]]
        await approve(dirigent, run, "ben")
        await until(lambda: _posts(tmp_path) == number + 1)  # noqa: B023
    ended = await run.ended()
    assert ended.status == "completed"
    assert [one["published"] for one in ended.output["results"]] == [True, True, True]
    assert _posts(tmp_path) == 3


async def test_held_posts_are_told_at_their_times(tmp_path: Path, clock: FrozenClock) -> None:
    """Delivery is off: the run comes to its end, each post with the reason, poor ones improved before."""
    async with Dirigent(settings=Settings(data_folder=tmp_path, actor="ann"), clock=clock) as dirigent:
        run = await begin(dirigent, "social_posts", **SOCIAL, guidelines=POOR)
        waiting = await run.waits_for("each[0].time", "each[1].time", "each[2].time")
        assert waiting.steps["improve"].output["quality_score"] == 100
        clock.move(60 * DAY_MS)
        ended = await run.ended()
    assert [one["held_reason"] for one in ended.output["results"]] == ["delivery_disabled"] * 3
    assert _posts(tmp_path) == 0


def _posts(folder: Path) -> int:
    return len(list((folder / "outbox").glob("*.eml")))
