"""The compliance agent brings a message and a person's record to the policies and tells what they said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from dirigent.agents.revenue.compliance import (
    ComplianceAgent,
    DraftDecision,
    LeadIn,
    MessageIn,
    OrgIn,
    PolicyDecision,
)
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import NotFound
from dirigent.domain.policy import Decision, Finding, Verdict, strictest
from dirigent.security.admission import AGENT_ATTRIBUTE
from tests.agents.fakes import FakeContext, FakeRecords, invoke, spec_of
from tests.agents.letters import dossier, records_with, write

EXAMPLES = Path(__file__).parents[1] / "fixtures" / "examples"


class AskingContext(FakeContext):
    """A context whose policies say what they are told to, and keep what they were asked."""

    asked: list[tuple[str, dict[str, Any]]]
    says: tuple[Finding, ...] = ()

    def decide(self, point: str, facts: Mapping[str, Any]) -> Decision:
        self.asked = [*getattr(self, "asked", []), (point, dict(facts))]
        return strictest(self.says, "v1")


def inputs_of_the_example() -> dict[str, Any]:
    request = (EXAMPLES / "000-10-agent-execute.http").read_text(encoding="utf-8")
    inputs: dict[str, Any] = json.loads(request.partition("\n\n")[2])["inputs"]
    return inputs


def finding(name: str, verdict: Verdict, fix: str = "") -> Finding:
    return Finding(rule=name, verdict=verdict, fix=fix)


async def check(context: FakeContext, **inputs: Any) -> PolicyDecision:
    models: dict[str, type[BaseModel]] = {"message": MessageIn, "lead": LeadIn, "org": OrgIn}
    read = {name: models[name].model_validate(value) for name, value in inputs.items()}
    decided = await invoke(ComplianceAgent, "check_message", context, **read)
    assert isinstance(decided, PolicyDecision)
    return decided


async def test_the_input_of_the_example_is_accepted_as_it_is() -> None:
    """The published request is read and handed to the policies without its empty fields."""
    context = AskingContext()
    await check(context, **inputs_of_the_example())
    point, facts = context.asked[0]
    assert point == "message"
    assert facts["message"]["subject"] == "Re: your account"
    assert "postal_address" not in facts["message"]
    assert facts["lead"] == {"email": "ann@example.com", "country": "DE", "suppressed": False}
    assert facts["now"] == context.now.isoformat()


async def test_violations_fixes_and_warnings_are_told_apart() -> None:
    """Rules that object are violations, cures are those of denials, each once; notes are warnings."""
    context = AskingContext()
    context.says = (
        finding("a.deny", Verdict.DENY, "do this"),
        finding("b.note", Verdict.ALLOW, "nothing"),
        finding("c.ask", Verdict.REQUIRE_APPROVAL, "say it better"),
        finding("d.deny", Verdict.DENY, "do this"),
    )
    decided = await check(context, message={}, lead={})
    assert decided.model_dump() == {
        "allow": False,
        "decision": "deny",
        "violations": ["a.deny", "c.ask", "d.deny"],
        "fixes": ["do this"],
        "warnings": ["b.note"],
        "policy_version": "v1",
    }


@pytest.mark.parametrize(
    ("verdict", "allow"),
    [
        (Verdict.ALLOW, True),
        (Verdict.MODIFY, False),
        (Verdict.REQUIRE_APPROVAL, False),
        (Verdict.DENY, False),
    ],
)
async def test_only_allow_allows(verdict: Verdict, allow: bool) -> None:
    """What must be changed or asked about first is not allowed as it is."""
    context = AskingContext()
    context.says = (finding("a.rule", verdict),)
    decided = await check(context, message={}, lead={})
    assert (decided.allow, decided.decision) == (allow, verdict.value)


async def test_a_suppressed_address_is_found_in_any_spelling() -> None:
    """The suppression list is compared in the form in which addresses of one mailbox are equal."""
    context = AskingContext(FakeRecords(suppressions=[{"address": "janedoe@gmail.com"}]))
    await check(context, message={}, lead={"email": "Jane.Doe+x@gmail.com", "suppressed": False})
    assert context.asked[0][1]["lead"]["suppressed"] is True


@pytest.mark.parametrize(
    "inputs",
    [
        {"message": {"bdoy": "x"}, "lead": {}},
        {"message": {}, "lead": {"consnet": "yes"}},
        {"message": {}, "lead": {}, "org": {"x": 1}},
    ],
)
async def test_a_field_that_does_not_exist_is_refused(inputs: dict[str, Any]) -> None:
    """A typing error must not read as a missing consent."""
    with pytest.raises(ValidationError):
        await check(AskingContext(), **inputs)


async def test_a_stored_draft_is_checked_from_its_own_bytes() -> None:
    """What would leave is what is judged: headers and text of the message, and the contact as it is now."""
    records = records_with(consent="express", consent_at="2026-01-05", consent_source="trade fair")
    draft = await write(records, dossier("WHITE LIGHT HOLDER"))
    context = AskingContext(records)
    decided = await invoke(ComplianceAgent, "check_draft", context, message_id=draft.message_id)
    assert isinstance(decided, DraftDecision)
    assert (decided.message_id, decided.lead_id, decided.sha256) == (draft.message_id, "k-1", draft.sha256)
    point, facts = context.asked[0]
    assert point == "message"
    assert facts["message"]["to"] == "Ada Byron <ada@example.com>"
    assert facts["message"]["unsubscribe_url"] == f"<https://wholesale.example/u/{draft.message_id}>"
    assert facts["message"]["postal_address"] == "1 High Street, London N1 1AA"
    assert "WHITE LIGHT HOLDER" in facts["message"]["body"]
    assert facts["lead"] == {
        "email": "ada@example.com",
        "country": "GB",
        "timezone": "Europe/London",
        "consent": "express",
        "consent_at": "2026-01-05",
        "consent_source": "trade fair",
        "opted_out": False,
        "suppressed": False,
    }


async def test_a_draft_whose_contact_is_gone_counts_as_opted_out() -> None:
    """Without a record there is no consent, and nobody is written to."""
    records = records_with()
    draft = await write(records, dossier("WHITE LIGHT HOLDER"))
    records.rows["contacts"].clear()
    context = AskingContext(records)
    await invoke(ComplianceAgent, "check_draft", context, message_id=draft.message_id)
    assert context.asked[0][1]["lead"]["opted_out"] is True


async def test_an_unknown_draft_is_not_found() -> None:
    """A message that is not stored cannot be checked."""
    with pytest.raises(NotFound):
        await invoke(ComplianceAgent, "check_draft", AskingContext(), message_id="msg_none")


def test_the_agent_is_known_by_its_names_and_changes_nothing() -> None:
    """Both checks only read, and the published names lead to the agent."""
    spec = getattr(ComplianceAgent, AGENT_ATTRIBUTE)
    assert (spec.key, spec.aliases) == ("compliance", ("ComplianceAgent", "compliance_wrapper"))
    for name in ("check_message", "check_draft"):
        own = spec_of(ComplianceAgent, name)
        assert (own.risk, own.effect, own.outward) == (Risk.R0, Effect.READ, False)
