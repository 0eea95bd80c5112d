"""Finding dormant leads, and measuring what came of writing to them."""

from collections import Counter
from typing import Any

import pytest

from dirigent.agents.revenue.dormancy import DormancyRule
from dirigent.agents.revenue.revival_engine import DormantLeads, RevivalEngineAgent
from dirigent.domain.errors import InvalidInput, Refused
from tests.agents.fakes import FakeContext, FakeRecords, contact_of, invoke, orders_of
from tests.agents.wholesaler import order_book

RULE = DormancyRule(enterprise_spend_min=1000.0)
OLD_DAYS = ("2011-01-01", "2011-02-01", "2011-03-01", "2011-04-01")
NEW_DAYS = ("2011-06-01", "2011-07-01", "2011-08-01", "2011-09-29")


def company(dormant_big: int, dormant_small: int, active: int) -> FakeRecords:
    """A tenant with customers of three kinds, each with a contact."""
    records = FakeRecords()
    kinds = (("big", dormant_big, OLD_DAYS, 900.0), ("small", dormant_small, OLD_DAYS, 9.0))
    for kind, number, days, value in (*kinds, ("active", active, NEW_DAYS, 900.0)):
        for n in range(number):
            records.save("orders", orders_of(f"{kind}{n:03}", *days, value=value))
            records.save("contacts", [contact_of(f"{kind}{n:03}")])
    return records


async def find(records: FakeRecords, limit: int = 50, **inputs: Any) -> DormantLeads:
    inputs.setdefault("dormancy", RULE)
    found = await invoke(RevivalEngineAgent, "find_dormant", FakeContext(records), limit=limit, **inputs)
    assert isinstance(found, DormantLeads)
    return found


async def test_fifty_of_sixty_and_nobody_else() -> None:
    """Of 200 leads, 60 dormant and enterprise, exactly 50 of these 60 are chosen, ranked from 1."""
    found = await find(company(60, 80, 60), segment="enterprise")
    assert [lead.rank for lead in found.leads] == list(range(1, 51))
    assert {lead.segment for lead in found.leads} == {"enterprise"}
    assert all(lead.customer_id.startswith("big") for lead in found.leads)
    assert (found.considered, found.dormant, found.enterprise) == (200, 140, 60)
    assert found.reason is None


async def test_without_a_segment_small_customers_come_too() -> None:
    """The segment is asked for, not assumed."""
    found = await find(company(2, 3, 4))
    assert Counter(lead.segment for lead in found.leads) == {"enterprise": 2, "standard": 3}


async def test_who_may_not_be_written_to_is_skipped_and_counted() -> None:
    """Opted out, suppressed in any spelling, without address, without contact: each with its reason."""
    records = company(5, 0, 5)
    records.save("contacts", [contact_of("big000", opted_out=True), contact_of("big001", email="")])
    records.save("contacts", [contact_of("big002", email="Jane.Doe+x@gmail.com")])
    records.save("suppressions", [{"address": "janedoe@gmail.com", "reason": "objection", "at": None}])
    records.rows["contacts"] = [row for row in records.rows["contacts"] if row["customer_id"] != "big003"]
    found = await find(records, segment="enterprise")
    assert [lead.customer_id for lead in found.leads] == ["big004"]
    assert {item.reason: item.count for item in found.skipped} == {
        "opted_out": 1,
        "no_address": 1,
        "suppressed": 1,
        "no_contact": 1,
    }


async def test_another_contact_stands_in_for_one_who_opted_out() -> None:
    """A customer is left out only when no contact may be written to; the better consent goes first."""
    records = company(1, 0, 1)
    records.save("contacts", [contact_of("big000", opted_out=True)])
    records.save("contacts", [contact_of("big000", contact_id="z-1", consent="none")])
    records.save("contacts", [contact_of("big000", contact_id="z-2", consent="express")])
    found = await find(records, segment="enterprise")
    assert [(lead.lead_id, lead.contact_id) for lead in found.leads] == [("z-2", "z-2")]


async def test_an_empty_result_says_why() -> None:
    """No orders, nobody silent, nobody reachable: an empty list, one code, and the reason in words."""
    empty, active, unreachable = FakeRecords(), company(0, 0, 3), company(2, 0, 3)
    unreachable.rows["contacts"] = []
    for records, words in ((empty, "no orders"), (active, "long enough"), (unreachable, "None of the 2")):
        found = await find(records, segment="enterprise")
        assert (found.leads, found.reason) == ([], "no_dormant_leads")
        assert words in found.detail


async def test_an_unknown_segment_is_an_error() -> None:
    """A segment nobody knows is not read as everybody."""
    with pytest.raises(InvalidInput, match="no segment 'vip'"):
        await find(company(1, 1, 1), segment="vip")


async def test_the_search_runs_only_through_the_dispatcher() -> None:
    """Called directly the agent refuses."""
    with pytest.raises(Refused):
        await RevivalEngineAgent().find_dormant(limit=1, ctx=FakeContext())


async def test_the_strategy_follows_from_contact_season_and_silence() -> None:
    """No name asks for a referral, last year's season triggers, a very long silence says goodbye."""
    records = company(1, 0, 9)
    records.save("contacts", [contact_of("big000", name="")])
    lately = ("2011-01-01", "2011-03-01", "2011-05-01")
    season = ("2010-08-01", "2010-10-20", "2011-01-05", "2011-03-20")
    long_ago = ("2010-01-01", "2010-01-15", "2010-02-01", "2010-02-20")
    for customer, days in (("season", season), ("gone", long_ago), ("lately", lately)):
        records.save("orders", orders_of(customer, *days, value=900.0))
        records.save("contacts", [contact_of(customer)])
    found = await find(records)
    assert {lead.customer_id: lead.strategy for lead in found.leads} == {
        "big000": "referral",
        "lately": "value",
        "season": "trigger",
        "gone": "breakup",
    }


async def test_the_real_book_gives_fifty_leads_with_reasons() -> None:
    """Fifty dormant enterprise customers of the wholesaler can be written to, each with its numbers."""
    found = await find(order_book(), segment="enterprise", dormancy=None)
    assert len(found.leads) == 50
    assert found.criteria is not None
    assert found.criteria.enterprise_spend_min == 1407.76
    assert all(len(lead.why) == 4 and lead.contactable for lead in found.leads)
    chances = [lead.probability for lead in found.leads]
    assert chances == sorted(chances, reverse=True)
    assert sum(item.count for item in found.skipped) < found.enterprise - 50


async def test_the_result_holds_no_names_and_no_addresses() -> None:
    """Personal data stays in the records: leads are ids and numbers."""
    found = await find(order_book(), segment="enterprise", dormancy=None)
    text = found.model_dump_json()
    assert "@" not in text
    contacts = {row["contact_id"]: row["name"] for row in order_book().rows["contacts"]}
    assert not any(contacts[lead.contact_id] in text for lead in found.leads)


def message(message_id: str, state: str, run_id: str = "run_1") -> dict[str, Any]:
    return {"message_id": message_id, "state": state, "run_id": run_id}


async def measure(*rows: dict[str, Any], **inputs: Any) -> Any:
    return await invoke(RevivalEngineAgent, "measure", FakeContext(FakeRecords(messages=rows)), **inputs)


async def test_outcomes_are_pending_until_somebody_answers() -> None:
    """Silence so far is no result: rates are pending, counts are there."""
    rows = [message("a", "sent"), message("b", "sent"), message("c", "draft"), message("d", "sent", "other")]
    got = await measure(*rows, run_id="run_1")
    assert (got.messages, got.sent) == ({"draft": 1, "sent": 2}, 2)
    assert (got.reply_rate, got.meetings_booked) == ("pending", "pending")


async def test_a_run_takes_in_what_it_started() -> None:
    """Messages of the plan a goal started count for the goal; those of a namesake do not."""
    rows = [message("a", "sent", "run_1/plan"), message("b", "sent", "run_10"), message("c", "sent", "run_1")]
    assert (await measure(*rows)).sent == 2


async def test_rates_are_given_once_answers_are_on_record() -> None:
    """Replies per message sent, and meetings as counted."""
    rows = [message("a", "replied"), message("b", "meeting"), message("c", "sent"), message("d", "bounced")]
    got = await measure(*rows, run_id="run_1")
    assert (got.sent, got.reply_rate, got.meetings_booked) == (4, 0.5, 1)
