"""The researcher: facts with their records, products that fit, and honest gaps."""

from typing import Any

import pytest

from dirigent.agents.revenue.dossier import Dossier
from dirigent.agents.revenue.order_facts import presentable
from dirigent.agents.revenue.researcher import ResearcherAgent
from dirigent.domain.errors import InvalidInput, NotFound
from tests.agents.fakes import FakeContext, FakeRecords, contact_of, invoke, orders_of
from tests.agents.wholesaler import order_book

DAYS = ("2010-10-20", "2011-02-01", "2011-03-01")
NAMES = {"S1": "CHRISTMAS STAR", "P1": "PARTY BUNTING", "P2": "Children's mug", "POST": "POSTAGE"}


def line(order_id: str, number: int, sku: str, quantity: int, **changes: Any) -> dict[str, Any]:
    own = {"order_id": order_id, "line": number, "sku": sku, "quantity": quantity}
    return {**own, "unit_price": 2.0, "kind": "sale", "goods": sku != "POST", **changes}


def company() -> FakeRecords:
    """One customer with three orders: stars in the season, bunting twice, a mug once, postage always."""
    first, second, third = (f"c-1/sale/{day}" for day in DAYS)
    lines = [
        line(first, 1, "S1", 40),
        line(first, 2, "POST", 1),
        line(second, 1, "P1", 10),
        line(second, 2, "POST", 1),
        line(third, 1, "P1", 20),
        line(third, 2, "P2", 5),
        line(third, 3, "POST", 1),
    ]
    return FakeRecords(
        orders=[*orders_of("c-1", *DAYS, value=500.0), *orders_of("other", "2010-01-01", "2011-09-30")],
        order_lines=lines,
        products=[{"sku": sku, "name": name, "price": 2.0} for sku, name in NAMES.items()],
        contacts=[contact_of("c-1", contact_id="k-1")],
    )


async def research(records: FakeRecords, **inputs: Any) -> Dossier:
    got = await invoke(ResearcherAgent, "research_lead", FakeContext(records), **inputs)
    assert isinstance(got, Dossier)
    return got


async def test_every_fact_names_the_records_it_rests_on() -> None:
    """Text, value, source, order ids and day of each fact come from the customer's own orders."""
    got = await research(company(), lead_id="k-1")
    assert (got.customer_id, got.as_of) == ("c-1", "2011-09-30")
    facts = {fact.kind: fact for fact in got.facts}
    assert facts["last_order"].text == "The last order was placed on 1 March 2011."
    assert facts["last_order"].record_ids == ["c-1/sale/2011-03-01"]
    assert facts["order_days"].value == "3"
    assert facts["spend_year"].value == "1,500.00"
    assert all(fact.value in fact.text for fact in got.facts)
    assert all(item.startswith("c-1/") for fact in got.facts for item in fact.record_ids)


async def test_products_of_the_coming_season_come_first_then_reorders() -> None:
    """Last year's coming weeks, then what was bought on two days; never postage, never a single purchase."""
    got = await research(company(), lead_id="k-1")
    assert [(fit.sku, fit.reason, fit.order_days, fit.quantity) for fit in got.fits] == [
        ("S1", "season", 1, 40.0),
        ("P1", "reorder", 2, 30.0),
    ]
    assert [got.facts[fit.evidence].value for fit in got.fits] == ["Christmas Star", "Party Bunting"]


async def test_what_was_taken_back_was_no_purchase() -> None:
    """A cancelled line is not offered as something the customer came back for."""
    records = company()
    cancelled = orders_of("c-1", "2011-03-02", value=40.0, kind="cancellation")
    records.save("orders", cancelled)
    records.save("order_lines", [line(cancelled[0]["order_id"], 1, "P1", -20, kind="cancellation")])
    got = await research(records, lead_id="k-1")
    assert [fit.sku for fit in got.fits] == ["S1"]


async def test_a_partial_return_lowers_the_pieces() -> None:
    """Half of the latest purchase came back: the rest still counts."""
    records = company()
    returned = orders_of("c-1", "2011-03-02", value=10.0, kind="return")
    records.save("orders", returned)
    records.save("order_lines", [line(returned[0]["order_id"], 1, "P1", -5, kind="return")])
    assert [fit.quantity for fit in (await research(records, lead_id="k-1")).fits] == [40.0, 25.0]


async def test_depth_adds_products_and_facts() -> None:
    """Deep research says more of the same kind, still only from records."""
    quick, deep = [await research(company(), lead_id="k-1", depth=depth) for depth in ("quick", "deep")]
    assert {fact.kind for fact in deep.facts} - {fact.kind for fact in quick.facts} == {"range"}
    real = [await research(order_book(), customer_id="13001", depth=depth) for depth in ("quick", "deep")]
    assert [len(dossier.fits) for dossier in real] == [3, 10]


async def test_what_is_not_known_is_said_with_the_reason() -> None:
    """Why the customer stopped, stock, last year's weeks before the books begin, a missing role."""
    records = company()
    records.rows["orders"] = [row for row in records.rows["orders"] if row["ordered_at"] > "2010-10-15"]
    records.save("contacts", [contact_of("c-1", contact_id="k-1", role=None)])
    records.save("order_lines", [line("c-1/sale/2011-03-01", 9, "X9", 3)])
    gaps = {gap.about: gap.why for gap in (await research(records, lead_id="k-1")).gaps}
    assert set(gaps) == {
        "reason of the silence",
        "availability",
        "product names",
        "season a year ago",
        "contact's role",
    }
    assert "X9" in gaps["product names"]
    assert "2010-10-01 to 2010-10-19" in gaps["season a year ago"]


async def test_a_customer_without_orders_gives_gaps_and_no_fact() -> None:
    """Nothing on record is said as nothing on record."""
    records = FakeRecords(contacts=[contact_of("new", contact_id="k-9")])
    got = await research(records, lead_id="k-9")
    assert (got.facts, got.fits, got.as_of) == ([], [], None)
    assert [gap.about for gap in got.gaps] == ["orders"]


async def test_an_unknown_lead_is_not_found_and_no_lead_is_an_error() -> None:
    """Whom to research must be said, and must exist."""
    with pytest.raises(NotFound, match="no lead 'nobody'"):
        await research(company(), lead_id="nobody")
    with pytest.raises(InvalidInput, match="not said"):
        await research(company())


async def test_the_dossier_holds_no_personal_data() -> None:
    """Names and addresses of people stay in the contact record."""
    text = (await research(company(), lead_id="k-1", depth="deep")).model_dump_json()
    assert "Ada" not in text
    assert "@" not in text


def test_product_names_are_made_presentable() -> None:
    """No shouting, no double spaces, nothing invisible; mixed case stays as written."""
    assert presentable("  WHITE  HANGING HEART T-LIGHT\u200b HOLDER ") == "White Hanging Heart T-light Holder"
    assert presentable("Children's mug") == "Children's mug"
    assert presentable("CHILDREN'S MUG") == "Children's Mug"
