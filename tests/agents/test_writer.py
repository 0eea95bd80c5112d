"""The writer: nothing but evidence in the slots, the same bytes every time, one recipient."""

import hashlib
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from dirigent.agents.revenue.dossier import MONTHS, Dossier
from dirigent.agents.revenue.leads import Strategy
from dirigent.agents.revenue.letter import prose_of
from dirigent.agents.revenue.message_file import recipients_of
from dirigent.agents.revenue.writer import Brief
from dirigent.domain.errors import Conflict, InvalidInput, NotFound
from dirigent.security.letters import read_message
from tests.agents.fakes import FakeRecords
from tests.agents.letters import BRIEF, LEAD, body, content_of, dossier, records_with, write

STRATEGIES: tuple[Strategy, ...] = ("value", "trigger", "breakup", "referral")
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "X-Postal-Address",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
]

hostile = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "Eve\r\nBcc: all@evil.example",
            "Eve\nX: y",
            "Eve\u2028Bcc: a@b.example",
            'Eve" <eve@evil.example>, "x',
            "Eve, a@b.example",
            "{{ 7 * 7 }}",
            "{% include 'x' %}",
            "=?utf-8?q?Eve=0ABcc:_a@b.example?=",
            "\ue0000\ue001",
            "Zoë Ångström-O’Neil",
        ]
    ),
)
some_names = st.lists(hostile, max_size=4, unique=True)


def strategy_lead(strategy: Strategy) -> Any:
    return LEAD.model_copy(update={"strategy": strategy})


@given(st.sampled_from(STRATEGIES), hostile, some_names, some_names)
@example("value", "Eve\r\nBcc: all@evil.example", ["Bcc: x@y.example\r\n"], [])
async def test_no_name_can_add_a_header_or_a_recipient(
    strategy: Strategy, person: str, products: list[str], season: list[str]
) -> None:
    """Whatever contacts and products are called, the headers are the known ones and one person gets it."""
    records = records_with(name=person)
    draft = await write(records, dossier(*products, season=tuple(season)), strategy_lead(strategy))
    message = read_message(content_of(records, draft))
    assert list(message.keys()) == HEADERS
    assert recipients_of(message) == ["ada@example.com"]
    assert not message.defects


@given(st.sampled_from(STRATEGIES), some_names, some_names, st.integers(1, 28))
async def test_every_claim_can_be_traced_to_evidence(
    strategy: Strategy, products: list[str], season: list[str], day: int
) -> None:
    """Take the values of the cited evidence out of the letter, and no number and no month is left."""
    records, facts = records_with(), dossier(*products, season=tuple(season), last=f"{day} March 2011")
    draft = await write(records, facts, strategy_lead(strategy))
    text = " ".join(f"{draft.subject} {prose_of(body(records, draft))}".split())
    values = {" ".join(fact.value.split()) for fact in draft.evidence} | {"December 2010"}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "")
    assert not re.search(rf"\d|{'|'.join(MONTHS)}", text), text
    assert all(fact in facts.facts for fact in draft.evidence)
    for claim in draft.claims:
        assert claim.evidence, claim
        assert all(0 <= place < len(draft.evidence) for place in claim.evidence)


@given(st.sampled_from(STRATEGIES), hostile, some_names)
async def test_the_same_input_gives_the_same_bytes(strategy: Strategy, person: str, names: list[str]) -> None:
    """A repeated attempt writes the same row again: one message, equal to the last byte."""
    records, lead = records_with(name=person), strategy_lead(strategy)
    first = await write(records, dossier(*names), lead)
    content = content_of(records, first)
    again = await write(records, dossier(*names), lead)
    assert again == first
    assert content_of(records, again) == content
    assert hashlib.sha256(content).hexdigest() == first.sha256
    assert records.count("messages") == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_every_letter_has_what_the_law_asks(strategy: Strategy) -> None:
    """One-click headers, the link in the text, the sender's name and postal address, on every template."""
    records = records_with()
    for facts in (dossier("Party Bunting", season=("Christmas Star",)), dossier()):
        draft = await write(records, facts, strategy_lead(strategy), key=f"{strategy}{len(facts.fits)}")
        message, text = read_message(content_of(records, draft)), body(records, draft)
        link = f"https://wholesale.example/u/{draft.message_id}"
        assert message["List-Unsubscribe"] == f"<{link}>"
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert message["X-Postal-Address"] == "1 High Street, London N1 1AA"
        assert link in text
        assert "Example Wholesale Ltd\n1 High Street\nLondon N1 1AA\n" in text
        assert "commercial message" in text


async def test_a_slot_without_evidence_selects_the_variant_without_it() -> None:
    """With an empty dossier the letter states nothing, has no hole, and is less confident."""
    records = records_with(name=None)
    empty = dossier().model_copy(update={"facts": []})
    draft = await write(records, empty)
    text = body(records, draft)
    assert text.startswith("Hello,\n")
    assert (draft.claims, draft.evidence, draft.confidence) == ([], [], 0.4)
    assert "{" not in text
    assert "\n\n\n" not in text


async def test_the_letter_names_the_person_and_a_fact() -> None:
    """The greeting is for the contact, the subject for what it used to order."""
    records = records_with()
    draft = await write(records, dossier("Party Bunting"))
    text = body(records, draft)
    assert text.startswith("Dear Ada Byron,\n")
    assert "14 March 2011" in text
    assert "on 6 different days" in text
    assert draft.subject == "Party Bunting: shall we prepare your next order?"
    assert draft.confidence == 1.0


async def test_two_leads_get_different_letters() -> None:
    """No circular: other facts make another text."""
    records = records_with()
    one = await write(records, dossier("Party Bunting"), key="1" * 32)
    other = await write(records, dossier("Wicker Heart"), key="2" * 32)
    assert body(records, one) != body(records, other)
    assert one.message_id != other.message_id


async def test_one_order_is_not_called_several_days() -> None:
    """A count of one would read wrong, so the sentence goes without it."""
    facts = dossier()
    once = facts.facts[1].model_copy(update={"value": "1", "text": "Orders came in on 1 different days."})
    records = records_with()
    draft = await write(records, facts.model_copy(update={"facts": [facts.facts[0], once]}))
    assert "different days" not in body(records, draft)


@pytest.mark.parametrize(
    "name", ["Click http://evil.example", "ada@example.com", "Ada <b>", "1234", "A" * 61]
)
async def test_what_is_no_name_is_not_greeted(name: str) -> None:
    """Links, addresses and markup in a name field appear neither in the text nor in the header."""
    records = records_with(name=name)
    draft = await write(records, dossier("Party Bunting"))
    assert body(records, draft).startswith("Hello,")
    assert read_message(content_of(records, draft))["To"] == "ada@example.com"


@pytest.mark.parametrize(
    "address",
    [
        "a@x.com, b@y.com",
        "a@x.com; b@y.com",
        "Ada <a@x.com>",
        "friends: a@x.com, b@y.com;",
        "a@x.com\r\nBcc: b@y.com",
        "a%0abcc@x.com",
        "a@x.com\u2028b@y.com",
        "a b@x.com",
        "a@localhost",
        "",
        None,
    ],
)
async def test_anything_but_one_plain_address_is_refused(address: str | None) -> None:
    """Lists, groups, display names and line breaks never become a recipient, and nothing is stored."""
    records = records_with(email=address)
    with pytest.raises(InvalidInput, match="not exactly one plain"):
        await write(records, dossier())
    assert records.count("messages") == 0


async def test_facts_of_another_customer_are_refused() -> None:
    """Lead, dossier and contact must belong together."""
    with pytest.raises(InvalidInput, match="not of one customer"):
        await write(records_with(), dossier().model_copy(update={"customer_id": "c-2"}))
    with pytest.raises(InvalidInput, match="not of one customer"):
        await write(records_with(customer_id="c-2"), dossier())
    with pytest.raises(NotFound, match="no contact 'k-1'"):
        await write(FakeRecords(), dossier())


async def test_a_product_that_the_evidence_does_not_name_is_left_out() -> None:
    """A dossier that was tampered with loses the slot: value and text of the evidence must agree."""
    facts = dossier("Party Bunting")
    forged = [*facts.facts[:2], facts.facts[2].model_copy(update={"value": "Gold Bars"})]
    records = records_with()
    draft = await write(records, facts.model_copy(update={"facts": forged}))
    assert "Gold" not in draft.subject + body(records, draft)


async def test_a_fit_that_points_nowhere_is_left_out() -> None:
    """A place outside the list of evidence is no evidence."""
    facts = dossier("Party Bunting")
    lost: Dossier = facts.model_copy(update={"facts": facts.facts[:2]})
    draft = await write(records_with(), lost)
    assert "Bunting" not in draft.subject


async def test_a_message_that_has_left_is_not_written_again() -> None:
    """The same bytes keep their state; other bytes under the same key are a conflict."""
    records = records_with()
    draft = await write(records, dossier("Party Bunting"))
    (row,) = records.fetch("messages")
    records.save("messages", [{**row, "state": "sent"}])
    assert (await write(records, dossier("Party Bunting"))).state == "sent"
    with pytest.raises(Conflict, match="'sent' with other content"):
        await write(records, dossier("Wicker Heart"))
    assert records.fetch("messages")[0]["sha256"] == draft.sha256


async def test_the_draft_holds_no_personal_data() -> None:
    """Name and address of the person are in the stored message, not in what the run records."""
    text = (await write(records_with(), dossier("Party Bunting"))).model_dump_json()
    assert "Ada" not in text
    assert "ada@" not in text


async def test_the_stored_row_says_where_everything_is() -> None:
    """Addresses, subject, hash, run, time and evidence stand beside the bytes."""
    records = records_with()
    draft = await write(records, dossier("Party Bunting"))
    (row,) = records.fetch("messages")
    assert (row["lead_id"], row["to_address"], row["from_address"]) == (
        "k-1",
        "ada@example.com",
        "sales@wholesale.example",
    )
    assert (row["state"], row["run_id"], row["sha256"]) == ("draft", "run_1", draft.sha256)
    assert row["created_at"] == "2026-11-20T09:30:00+00:00"
    assert [fact["kind"] for fact in row["evidence"]["evidence"]] == ["last_order", "order_days", "reorder"]


async def test_letters_in_other_scripts_stay_whole() -> None:
    """Names and products outside ASCII survive the seven-bit bytes."""
    records = records_with(name="Zoë Ångström")
    draft = await write(records, dossier("Théière émaillée"))
    message = read_message(content_of(records, draft))
    assert message["To"].addresses[0].display_name == "Zoë Ångström"
    assert str(message["Subject"]).startswith("Théière émaillée:")
    assert "Théière émaillée" in body(records, draft)


async def test_a_long_link_is_not_folded_or_encoded() -> None:
    """Mailbox providers read the header as it stands, so it stands in one piece."""
    brief = BRIEF.model_copy(update={"unsubscribe_base": f"https://wholesale.example/{'u' * 200}"})
    records = records_with()
    draft = await write(records, dossier(), brief=brief)
    link = f"{brief.unsubscribe_base}/{draft.message_id}"
    assert f"List-Unsubscribe: <{link}>\r\n".encode() in content_of(records, draft)
    assert link in body(records, draft)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sender_name", "Example\r\nBcc: a@b.example"),
        ("sender_name", "Exam\u202eple"),
        ("sender_name", "   "),
        ("sender_email", "a@x.com, b@y.com"),
        ("postal_address", "1 High\x00Street"),
        ("unsubscribe_base", "http://wholesale.example/u"),
        ("unsubscribe_base", "https://wholesale.example/u>, <mailto:x@y.example"),
        ("unsubscribe_base", "https:///u"),
        ("unsubscribe_base", "https://wholesale.example/\r\nBcc: a@b.example"),
    ],
)
def test_a_brief_that_could_break_a_header_is_refused(field: str, value: str) -> None:
    """Sender, address and link are checked where they come in."""
    with pytest.raises(ValidationError):
        Brief.model_validate({**BRIEF.model_dump(), field: value})
