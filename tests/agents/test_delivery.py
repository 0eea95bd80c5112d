"""Delivery: the approved bytes or none, and only through the dispatcher."""

from typing import Any

import pytest

from dirigent.agents.revenue.delivery import DeliveryAgent
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import ActionFailed, NotFound, Refused
from tests.agents.fakes import FakeContext, FakeRecords, invoke, spec_of
from tests.agents.letters import dossier, records_with, write


async def drafted() -> tuple[FakeRecords, FakeContext, dict[str, Any]]:
    """A tenant with one drafted message, and the inputs that send it."""
    records = records_with()
    draft = await write(records, dossier("Party Bunting"))
    return records, FakeContext(records), {"message_id": draft.message_id, "sha256": draft.sha256}


async def test_the_stored_bytes_are_handed_over_and_marked_sent() -> None:
    """What leaves is what was approved, byte for byte, and the record says so."""
    records, context, inputs = await drafted()
    content = records.fetch("messages")[0]["content"].encode("ascii")
    got = await invoke(DeliveryAgent, "send", context, **inputs, lead_id="k-1", confidence=0.9)
    assert got.state == "sent"
    assert got.path == f"{inputs['message_id']}.eml"
    assert context.delivered == {inputs["message_id"]: content}
    assert records.fetch("messages")[0]["state"] == "sent"


async def test_a_repeated_send_hands_over_the_same_again() -> None:
    """The receiver honours the id, so another attempt with the same bytes is harmless."""
    _, context, inputs = await drafted()
    first = await invoke(DeliveryAgent, "send", context, **inputs)
    assert await invoke(DeliveryAgent, "send", context, **inputs) == first


async def test_a_late_repetition_does_not_undo_an_answer() -> None:
    """A message that was answered meanwhile stays answered when its send is repeated."""
    records, context, inputs = await drafted()
    records.save("messages", [{**records.fetch("messages")[0], "state": "replied"}])
    await invoke(DeliveryAgent, "send", context, **inputs)
    assert records.fetch("messages")[0]["state"] == "replied"


async def test_other_bytes_than_the_approved_ones_do_not_leave() -> None:
    """A change after approval, of the text or of the recorded hash, stops the message."""
    records, context, inputs = await drafted()
    (row,) = records.fetch("messages")
    changed = row["content"].replace("Bunting", "Banter")
    for tampered in ({"content": changed}, {"sha256": "0" * 64}):
        records.save("messages", [{**row, **tampered}])
        with pytest.raises(ActionFailed, match="not the ones that were approved"):
            await invoke(DeliveryAgent, "send", context, **inputs)
    with pytest.raises(ActionFailed, match="not the ones that were approved"):
        await invoke(DeliveryAgent, "send", context, **{**inputs, "sha256": "0" * 64})
    assert context.delivered == {}


@pytest.mark.parametrize("late", ["suppressed", "opted_out"])
async def test_an_opt_out_after_drafting_stops_the_message(late: str) -> None:
    """The lists are looked at again at the last moment."""
    records, context, inputs = await drafted()
    if late == "suppressed":
        records.save("suppressions", [{"address": "ADA+shop@example.com", "reason": "objection", "at": None}])
    else:
        records.save("contacts", [{**records.fetch("contacts")[0], "opted_out": True}])
    with pytest.raises(ActionFailed, match=late):
        await invoke(DeliveryAgent, "send", context, **inputs)
    assert context.delivered == {}


async def test_a_message_goes_only_to_the_lead_it_was_written_to() -> None:
    """Another lead's id with this message is a mix-up, and an unknown message is not found."""
    _, context, inputs = await drafted()
    with pytest.raises(ActionFailed, match="not written to the lead 'k-2'"):
        await invoke(DeliveryAgent, "send", context, **inputs, lead_id="k-2")
    with pytest.raises(NotFound, match="no message 'msg_x'"):
        await invoke(DeliveryAgent, "send", context, message_id="msg_x", sha256="0" * 64)


async def test_nothing_is_sent_outside_the_dispatcher() -> None:
    """Called directly the agent refuses, whatever it is given."""
    _, context, inputs = await drafted()
    with pytest.raises(Refused, match="called directly"):
        await DeliveryAgent().send(**inputs, ctx=context)
    assert context.delivered == {}


async def test_bytes_that_the_store_gives_back_as_bytes_are_sent_too() -> None:
    """A store may keep text as text or as bytes; the hash decides."""
    records, context, inputs = await drafted()
    (row,) = records.fetch("messages")
    records.save("messages", [{**row, "content": row["content"].encode("ascii")}])
    await invoke(DeliveryAgent, "send", context, **inputs)
    assert context.delivered[inputs["message_id"]] == row["content"].encode("ascii")


def test_sending_is_declared_as_what_it_is() -> None:
    """R3, keyed and outward: so autonomy, delivery gate and recovery treat it rightly."""
    spec = spec_of(DeliveryAgent, "send")
    assert (spec.risk, spec.effect, spec.outward) == (Risk.R3, Effect.KEYED, True)
