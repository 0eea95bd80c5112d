"""A lead, a dossier and a brief to write letters from."""

from __future__ import annotations

from typing import Any

from dirigent.agents.revenue.dossier import Dossier, Evidence, ProductFit
from dirigent.agents.revenue.leads import DormantLead
from dirigent.agents.revenue.writer import Brief, Draft, WriterAgent
from dirigent.security.letters import body_of, read_message
from tests.agents.fakes import CONTACT, FakeContext, FakeRecords, invoke

LEAD = DormantLead(
    lead_id="k-1",
    customer_id="c-1",
    contact_id="k-1",
    segment="enterprise",
    strategy="value",
    rank=1,
    probability=0.6,
    days_silent=90,
    rhythm_days=30.0,
    orders=6,
    spend_year=1500.0,
    why=[],
)
BRIEF = Brief(
    sender_name="Example Wholesale Ltd",
    sender_email="sales@wholesale.example",
    postal_address="1 High Street\nLondon N1 1AA",
    unsubscribe_base="https://wholesale.example/u/",
)


def evidence(kind: str, text: str, value: str, at: str = "2011-03-14") -> Evidence:
    return Evidence(
        kind=kind, text=text, value=value, source="orders", record_ids=["536365"], records=1, at=at
    )


def dossier(*products: str, season: tuple[str, ...] = (), last: str = "14 March 2011") -> Dossier:
    """A dossier with the last order, six order days, and these products."""
    facts = [
        evidence("last_order", f"The last order was placed on {last}.", last),
        evidence("order_days", "Orders came in on 6 different days.", "6"),
    ]
    fits = []
    for reason, names in (("season", season), ("reorder", products)):
        for name in names:
            text = f"{name} was ordered in December 2010." if reason == "season" else f"{name}, on 2 days."
            fits.append({"reason": reason, "name": name, "evidence": len(facts)})
            facts.append(evidence(reason, text, name, at="2010-12-06"))
    return Dossier(
        lead_id="k-1",
        customer_id="c-1",
        as_of="2011-09-30",
        depth="quick",
        facts=facts,
        fits=[
            ProductFit.model_validate(
                {"sku": "1", "order_days": 2, "quantity": 10, "last_at": "2010-12-06", **fit}
            )
            for fit in fits
        ],
        gaps=[],
    )


def records_with(**contact: Any) -> FakeRecords:
    """A tenant with the one contact of the lead."""
    return FakeRecords(contacts=[{**CONTACT, **contact}])


async def write(
    records: FakeRecords, facts: Dossier, lead: DormantLead = LEAD, brief: Brief = BRIEF, key: str = "k" * 32
) -> Draft:
    """Have the writer write one message into the records."""
    context = FakeContext(records, key=key)
    got = await invoke(WriterAgent, "write_message", context, lead=lead, dossier=facts, brief=brief)
    assert isinstance(got, Draft)
    return got


def content_of(records: FakeRecords, draft: Draft) -> bytes:
    """The stored bytes of a draft."""
    (row,) = records.fetch("messages", where={"message_id": draft.message_id})
    return str(row["content"]).encode("ascii")


def body(records: FakeRecords, draft: Draft) -> str:
    """The text of a stored draft."""
    return body_of(read_message(content_of(records, draft)))
