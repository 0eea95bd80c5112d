"""Lead scores by the reference formula, and the score of dormant leads."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dirigent.agents.revenue.lead_score import Score, is_business_address, seniority
from dirigent.agents.revenue.lead_scorer import LeadData, LeadScorerAgent, RevivalCriteria, ScoringCriteria
from dirigent.agents.revenue.leads import DormantLead
from dirigent.domain.errors import InvalidInput
from tests.agents.fakes import FakeContext, invoke

CTO = LeadData(
    email="prospect@company.com",
    company="TechCorp Inc",
    role="CTO",
    engagement_score=85,
    website_visits=12,
)
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


async def score(lead: LeadData, **weights: float) -> Score:
    criteria = ScoringCriteria(**weights) if weights else None
    got = await invoke(LeadScorerAgent, "score_lead", FakeContext(), lead=lead, criteria=criteria)
    assert isinstance(got, Score)
    return got


async def test_the_reference_example_scores_83_5() -> None:
    """A CTO with a business address, engagement 85 and 12 visits, at weights 0.3, 0.4 and 0.3."""
    got = await score(CTO, engagement_weight=0.3, demographic_weight=0.4, behavior_weight=0.3)
    assert (got.value, got.grade, got.qualified, got.confidence) == (83.5, "hot", True, 1.0)
    assert {name: (part.value, part.weight) for name, part in got.components.items()} == {
        "engagement": (0.85, 0.3),
        "demographic": (1.0, 0.4),
        "behavior": (0.6, 0.3),
    }
    assert got.reasons == [
        "role CTO: executive",
        "business e-mail domain",
        "engagement 85 of 100",
        "12 website visits",
    ]
    assert got.warnings == []


async def test_the_minimal_example_scores_64_4_with_less_confidence() -> None:
    """Without visits their weight is spread over the rest; what is missing is said."""
    got = await score(LeadData(email="test@example.com", score=85))
    assert (got.value, got.grade, got.qualified, got.confidence) == (64.4, "warm", True, 0.5)
    assert got.components["demographic"].value == 0.49
    assert got.components["behavior"].value is None
    assert got.warnings == [
        "scoring_criteria absent: defaults used",
        "score read as engagement_score",
        "no behaviour data",
    ]


async def test_weights_are_normalised_and_said_so() -> None:
    """Weights that sum to 2 score as those that sum to 1."""
    got = await score(CTO, engagement_weight=0.6, demographic_weight=0.8, behavior_weight=0.6)
    assert got.value == 83.5
    assert got.warnings == ["weights sum to 2: normalised to 1"]


async def test_more_weight_moves_the_score_towards_the_component() -> None:
    """Engagement is 85: the more it weighs, the nearer the score comes to it from below."""
    junior = CTO.model_copy(update={"role": "Intern"})
    values = [
        (await score(junior, engagement_weight=w, demographic_weight=1.0, behavior_weight=1.0)).value
        for w in (0.1, 1.0, 10.0)
    ]
    assert values == sorted(values)
    assert values[-1] < 85.0


def test_a_negative_weight_is_refused() -> None:
    """It is wrong input, not a penalty."""
    with pytest.raises(ValidationError):
        ScoringCriteria(engagement_weight=-0.1)


async def test_no_weight_at_all_is_an_error() -> None:
    """With every weight zero there is nothing to score by."""
    with pytest.raises(InvalidInput, match="All weights are zero"):
        await score(CTO, engagement_weight=0, demographic_weight=0, behavior_weight=0)


async def test_an_unknown_lead_scores_nothing_at_no_confidence() -> None:
    """Nothing known is 0 with confidence 0, not a guess."""
    got = await score(LeadData(lead_id="x"))
    assert (got.value, got.grade, got.qualified, got.confidence) == (0.0, "cold", False, 0.0)


@given(st.text(max_size=40), st.floats(0, 100), st.integers(0, 1000))
async def test_scores_stay_on_their_scale(role: str, engagement: float, visits: int) -> None:
    """Whatever the role says, the score lies between 0 and 100 and comes again."""
    lead = LeadData(role=role, engagement_score=engagement, website_visits=visits)
    first = await score(lead)
    assert 0 <= first.value <= 100
    assert first == await score(lead)


def test_roles_have_a_level() -> None:
    """The first rank word decides; a deputy is no chief; an unknown role is worth 0.4."""
    for role, level in (
        ("Chief Buyer", "executive"),
        ("Vice President Sales", "director"),
        ("Head of Purchasing", "manager"),
        ("Senior Buyer", "buyer"),
        ("Director, Marketing", "director"),
        ("Astronaut", "unknown"),
        ("", "unknown"),
    ):
        assert seniority(role)[0] == level


def test_private_mailboxes_are_no_business_addresses() -> None:
    """A provider of private mail says nothing about a company."""
    assert is_business_address("a@company.com")
    assert not any(is_business_address(text) for text in ("a@GMAIL.com", "company.com", "", None))


async def revivability(lead: DormantLead, **criteria: Any) -> Score:
    rule = RevivalCriteria(**criteria) if criteria else None
    got = await invoke(LeadScorerAgent, "score_revivability", FakeContext(), lead=lead, criteria=rule)
    assert isinstance(got, Score)
    return got


async def test_revivability_is_chance_value_and_fit() -> None:
    """Half the chance to return, three tenths spend / (spend + 1500), two tenths orders / 12."""
    got = await revivability(LEAD)
    assert got.value == round(100 * (0.5 * 0.6 + 0.3 * 0.5 + 0.2 * 0.5), 1) == 55.0
    assert got.confidence == round(6 / 7, 2)
    assert got.reasons == ["chance to return 60 %", "net spend 1,500.00 in a year", "6 order days"]


@pytest.mark.parametrize("changed", [{"probability": 0.7}, {"spend_year": 1600.0}, {"orders": 7}])
async def test_every_part_of_revivability_counts(changed: dict[str, float]) -> None:
    """A likelier, larger or more regular customer scores higher."""
    assert (await revivability(LEAD.model_copy(update=changed))).value > (await revivability(LEAD)).value


async def test_the_weights_of_revivability_can_be_set() -> None:
    """Only the chance counts when only it has a weight."""
    assert (await revivability(LEAD, value_weight=0, fit_weight=0)).value == 60.0
