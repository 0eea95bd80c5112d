"""Quality control: good letters pass, every planted fault is found by its name."""

from collections.abc import Callable
from typing import Any

import pytest

from dirigent.agents.revenue.quality_control import QualityControlAgent, Review
from dirigent.domain.errors import NotFound
from dirigent.security.letters import POLICY, body_of, read_message
from tests.agents.fakes import FakeContext, FakeRecords, invoke
from tests.agents.letters import LEAD, content_of, dossier, records_with, write

FACTS = dossier("Party Bunting", "Wicker Heart")


async def review(records: FakeRecords, message_id: str, **inputs: Any) -> Review:
    got = await invoke(QualityControlAgent, "review", FakeContext(records), message_id=message_id, **inputs)
    assert isinstance(got, Review)
    return got


async def altered(change: Callable[[str], str], subject: str | None = None) -> tuple[FakeRecords, str]:
    """A written message whose text somebody has changed."""
    records = records_with()
    draft = await write(records, FACTS)
    message = read_message(content_of(records, draft))
    message.set_content(change(body_of(message)), charset="utf-8")
    if subject is not None:
        message.replace_header("Subject", subject)
    (row,) = records.fetch("messages")
    records.save("messages", [{**row, "content": message.as_bytes(policy=POLICY).decode("ascii")}])
    return records, draft.message_id


@pytest.mark.parametrize("strategy", ["value", "trigger", "breakup", "referral"])
async def test_what_the_writer_writes_passes(strategy: str) -> None:
    """Every template, with and without facts, stands the full hundred points."""
    for facts in (FACTS, dossier("Party Bunting", season=("Christmas Star",)), dossier()):
        records = records_with()
        draft = await write(records, facts, LEAD.model_copy(update={"strategy": strategy}))
        got = await review(records, draft.message_id, dossier=facts)
        assert (got.quality_score, got.passed, got.defects) == (100, True, [])
        assert await review(records, draft.message_id) == got


FAULTS: dict[str, tuple[Callable[[str], str], bool]] = {
    "unfilled_slot": (lambda text: text.replace("Party Bunting", "{{ product }}"), True),
    "wrong_name": (lambda text: text.replace("Ada Byron", "Charles Babbage"), True),
    "claim_without_evidence": (lambda text: text.replace("March", "April"), True),
    "repeated_sentence": (
        lambda text: text.replace("\n\nKind", " We will call you. We will call you.\n\nKind"),
        False,
    ),
    "length": (lambda text: text.replace("\n\nKind", "\n\n" + "And so on. " * 80 + "\n\nKind"), False),
    "readability": (
        lambda text: text.replace(
            "\n\nKind", " notwithstanding internationalisation considerations" * 9 + "\n\nKind"
        ),
        False,
    ),
    "links": (lambda text: text.replace("https://wholesale", "http://wholesale"), True),
}


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_planted_fault_is_found_by_its_name(kind: str) -> None:
    """Each check finds the fault it is there for, and says whether it alone stops the message."""
    change, blocking = FAULTS[kind]
    records, message_id = await altered(change)
    got = await review(records, message_id)
    assert kind in [defect.kind for defect in got.defects]
    assert got.quality_score < 100
    assert any(defect.blocking for defect in got.defects) == blocking
    assert got.passed == (not blocking and got.quality_score >= 75)


@pytest.mark.parametrize(
    ("subject", "words"), [("", "no subject"), ("Re: our call", "pretends"), ("Long " * 20, "are shown")]
)
async def test_a_bad_subject_is_found(subject: str, words: str) -> None:
    """Missing, misleading and overlong subjects are faults."""
    records, message_id = await altered(str, subject)
    assert any(words in defect.text for defect in (await review(records, message_id)).defects)


async def test_a_link_of_another_house_costs_points() -> None:
    """The only link of a letter is the one that stops it."""
    records, message_id = await altered(
        lambda text: text.replace("\n\nKind", " See www.evil.example\n\nKind")
    )
    got = await review(records, message_id)
    assert "links" in [defect.kind for defect in got.defects]
    assert not got.passed


async def test_a_message_that_goes_elsewhere_is_stopped() -> None:
    """The contact has another address by now: the message is not for that person any more."""
    records = records_with()
    draft = await write(records, FACTS)
    records.save("contacts", [{**records.fetch("contacts")[0], "email": "other@example.com"}])
    got = await review(records, draft.message_id)
    assert [defect.kind for defect in got.defects] == ["wrong_recipient"]
    assert not got.passed


async def test_claims_are_checked_against_the_dossier_that_is_given() -> None:
    """A number that another dossier does not hold is no fact there."""
    records = records_with()
    draft = await write(records, FACTS)
    other = dossier("Party Bunting", "Wicker Heart", last="2 May 2011")
    kinds = {defect.kind for defect in (await review(records, draft.message_id, dossier=other)).defects}
    assert kinds == {"claim_without_evidence"}


async def test_an_unknown_message_is_not_found() -> None:
    """There is nothing to review."""
    with pytest.raises(NotFound, match="no message 'msg_x'"):
        await review(records_with(), "msg_x")


async def test_a_review_names_nobody() -> None:
    """Defects say what is wrong without repeating the person's name."""
    records, message_id = await altered(lambda text: text.replace("Ada Byron", "Charles Babbage"))
    text = (await review(records, message_id)).model_dump_json()
    assert "Babbage" not in text
    assert "Ada" not in text
